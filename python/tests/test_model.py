"""Tokenizers, language models and replays, against the program and against transformers."""

import json
import os
import signal
import threading

import pytest
import torch
from runs import PROGRAM, program, settings

import galore_cpp as galore
from galore_cpp.optim._safetensors import read, write

TEXT = "The quick brown fox jumps over the lazy dog. Übermäßig große Füchse zählen 1 2 3.\n"
TEMPLATE = ("{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% endif %}{{ mark }}")


def write_tokenizer(folder):
    """Trains a tokenizer of 320 tokens by bytes, with a chat template."""
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.train_from_iterator([TEXT], tokenizers.trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<s>", "</s>"], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False}))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that has read its text a few times, in the folder of its run."""
    folder = tmp_path_factory.mktemp("model")
    write_tokenizer(folder)
    options = settings(folder)
    (folder / "text.txt").write_text(40 * TEXT)
    options.update(train_file=folder / "text.txt", tokenizer_name=folder, packing=True, max_steps=30, save_strategy="no",
                   eval_strategy="no", logging_steps=30, bf16=False)
    torch.set_num_threads(1)
    return galore.train(options, progress=False).output_dir


@pytest.fixture
def model(trained):
    return galore.load_model(trained)


def test_a_tokenizer_is_that_of_transformers(trained):
    transformers = pytest.importorskip("transformers")
    theirs, ours = transformers.AutoTokenizer.from_pretrained(trained), galore.Tokenizer.from_pretrained(trained)
    texts = [TEXT, "", "fox </s> 狐", "a" * 300]
    assert ours.encode_batch(texts) == theirs(texts)["input_ids"]
    assert ours.encode(texts[2], add_special_tokens=False) == theirs.encode(texts[2], add_special_tokens=False)
    ids = theirs.encode(texts[2])
    assert ours.decode(ids) == theirs.decode(ids) and ours.decode(ids, True) == theirs.decode(ids, skip_special_tokens=True)
    assert ours.decode_batch(torch.tensor([ids, ids])) == 2 * [theirs.decode(ids)]
    assert (ours.bos_token_id, ours.eos_token_id, ours.pad_token_id) == (theirs.bos_token_id, theirs.eos_token_id, None)
    assert len(ours) == len(theirs) and ours.all_special_ids == sorted(theirs.all_special_ids)
    messages = [{"role": "user", "content": "fox?"}]
    for options in ({}, {"add_generation_prompt": True}, {"tokenize": False, "mark": "!"}):
        expected = theirs.apply_chat_template(messages, **options)
        # Version 5 returns a mapping.
        expected = expected if isinstance(expected, (str, list)) else list(expected["input_ids"])
        assert ours.apply_chat_template(messages, **options) == expected


def test_tokenizers_refuse_by_one_line(trained, tmp_path):
    tokenizer = galore.Tokenizer.from_pretrained(trained / "tokenizer.json")
    for ids in ([-1], [tokenizer.vocab_size], [2**40]):
        with pytest.raises(RuntimeError, match=r"^[^\n]*expected[^\n]*$"):
            tokenizer.decode(ids)
    with pytest.raises(RuntimeError, match=r"^[^\n]*tokenizer[^\n]*$"):
        galore.Tokenizer.from_pretrained(tmp_path)


def test_logits_and_loss_are_those_of_transformers(trained, model):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(trained, dtype=torch.float32)
    ids = torch.arange(24).reshape(2, 12) + 40
    with torch.no_grad():
        expected = theirs(ids, labels=ids)
    found = model.logits(ids)
    assert found.dtype == torch.float32 and found.shape == expected.logits.shape and not found.requires_grad
    # Sums over 64 numbers in another order differ by some roundings of fp32.
    assert torch.allclose(found, expected.logits, rtol=1e-4, atol=1e-5)
    assert torch.equal(model.logits(ids[1].tolist()), model.logits(ids[1:])[0])
    assert model.loss(ids) == pytest.approx(expected.loss.item(), rel=1e-5)
    labels = ids.clone()
    labels[0] = -100
    assert model.loss(ids, labels) == pytest.approx(model.loss(ids[1]), rel=1e-6)
    assert model.config["hidden_size"] == 32 and model.loss([5], [-100]) != model.loss([5], [-100])
    with pytest.raises(ValueError, match=r"^\[ids\] expected ids from 0 to 383, given 384$"):
        model.logits([384])
    with pytest.raises(ValueError, match=r"labels\] expected the shape of ids"):
        model.loss(ids, ids[0])


@pytest.mark.skipif(not PROGRAM, reason="GALORE_PROGRAM is not set")
@pytest.mark.parametrize("options", [{"max_new_tokens": 20}, {"temperature": 1.5, "top_k": 40, "seed": 7, "max_new_tokens": 20},
                                     {"stop_strings": ["fox"], "max_new_tokens": 60, "top_p": 0.9, "repetition_penalty": 1.1}])
def test_generated_text_is_that_of_the_program(trained, model, options):
    words = [word for name, value in options.items() for word in (f"--{name}", *(value if isinstance(value, list) else [value]))]
    found = json.loads(program("generate", "--model_name_or_path", trained, "--prompt", "The quick", "--threads", 1, "--json",
                               *words))
    assert model.generate("The quick", **options) == found["text"] != ""
    assert "".join(model.stream("The quick", **options)) == found["text"]
    assert model.tokenizer is not None
    assert model.generate(model.tokenizer.encode("The quick"), **options) == found["output_ids"]


@pytest.mark.skipif(not PROGRAM, reason="GALORE_PROGRAM is not set")
def test_a_conversation_is_that_of_the_program(trained, model):
    lines = trained.parent / "lines.txt"
    lines.write_text("Who jumps?\nOver what?\n")
    printed = program("generate", "--model_name_or_path", trained, "--chat", "--system", "Count.", "--prompt_file", lines,
                      "--threads", 1, "--json", "--max_new_tokens", 12, "--chat_template_kwargs", '{"mark": "!"}')
    expected = [json.loads(line)["text"] for line in printed.splitlines()]
    chat = model.chat("Count.", max_new_tokens=12, chat_template_kwargs={"mark": "!"})
    assert [chat.say("Who jumps?"), "".join(chat.stream("Over what?"))] == expected
    chat.reset()
    assert chat.say("Who jumps?") == expected[0]


def test_a_stream_that_is_left_ends_the_generation(model):
    pieces = model.stream("The", max_new_tokens=1_000_000, do_sample=True)
    assert next(pieces)
    pieces.close()  # would wait for a million tokens
    assert [thread.name for thread in threading.enumerate()].count("galore") == 0
    assert model.generate("The quick", max_new_tokens=2)


def test_ctrl_c_ends_a_generation(model):
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.generate("The", max_new_tokens=1_000_000, do_sample=True)
    timer.join()
    assert signal.getsignal(signal.SIGINT) is before and model.generate("The quick", max_new_tokens=2)


def test_models_refuse_by_one_line(model, tmp_path):
    with pytest.raises(ValueError, match=r"^\[generate\] unknown option 'max_new_token'; the nearest known one is"):
        model.generate("The", max_new_token=3)
    with pytest.raises(ValueError, match=r"temperature"):
        model.stream("The", temperature=-1)
    with pytest.raises(ValueError, match=r"expected a prompt of at least one token"):
        model.generate([])
    with pytest.raises(ValueError, match=r"expected ids from 0 to 383, given -1"):
        model.generate([-1])
    with pytest.raises(RuntimeError, match=r"^\[model\] no such file or folder: [^\n]*nothing$"):
        galore.load_model(tmp_path / "nothing")
    bare = galore.load_model(galore.train({**settings(tmp_path), "max_steps": 1}, progress=False).output_dir)
    assert bare.tokenizer is None and len(bare.generate([3, 10], max_new_tokens=4)) == 4
    for call in (bare.generate, bare.stream):
        with pytest.raises(ValueError, match="expected a model with a tokenizer"):
            call("The")
    with pytest.raises(ValueError, match="expected a model with a tokenizer"):
        bare.chat()


@pytest.mark.skipif(not PROGRAM, reason="GALORE_PROGRAM is not set")
def test_a_replay_is_that_of_the_program_and_of_the_optimizer(tmp_path):
    torch.manual_seed(0)
    trace = {"weights/layers.0.up_proj.weight": torch.randn(12, 16)}
    trace.update({f"gradients/{step}/layers.0.up_proj.weight": torch.randn(12, 16) for step in range(4)})
    write(tmp_path / "trace.safetensors", trace)
    options = {"optim_args": {"rank": 3, "update_proj_gap": 2}, "learning_rate": 0.01, "optim_target_modules": ["up_proj"]}
    program("replay", "--input", tmp_path / "trace.safetensors", "--output", tmp_path / "out.safetensors", "--optim",
            "galore_adamw", "--optim_args", "rank=3,update_proj_gap=2", "--learning_rate", 0.01, "--optim_target_modules", "up_proj")
    expected = read(tmp_path / "out.safetensors")
    for given in (trace, tmp_path / "trace.safetensors"):
        found = galore.replay(given, "galore_adamw", **options)
        assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)
    weight = torch.nn.Parameter(trace["weights/layers.0.up_proj.weight"].clone())
    optimizer = galore.optim.GaLoreAdamW([("layers.0.up_proj.weight", weight)], lr=0.01, rank=3, update_proj_gap=2)
    for step in range(4):
        weight.grad = trace[f"gradients/{step}/layers.0.up_proj.weight"].clone()
        optimizer.step()
    assert torch.equal(weight.detach(), expected["weights/3/layers.0.up_proj.weight"])
    with pytest.raises(ValueError, match="nearest known one is 'galore_adamw'"):
        galore.replay(trace, "galore_adam")


def test_memory_is_constant(model, tmp_path):
    resource = pytest.importorskip("resource")
    options = {**settings(tmp_path), "max_steps": 1, "save_strategy": "no", "overwrite_output_dir": True}

    def work(times):
        for _ in range(times):
            folder = galore.train(options, progress=False).output_dir
            galore.load_model(folder).generate([3, 4, 5], max_new_tokens=2)
            model.logits([3, 4, 5])

    work(5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work(15)
    # A model with its optimizer has 0.6 MB here; the allocator's arenas may still grow by a few.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 6_000
