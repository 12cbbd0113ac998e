#!/usr/bin/env python3
"""Compares conversations and preferences with transformers (and TRL, if it is installed) on a tiny model.

    check_chat.py GALORE

Checked are ids and labels of conversations, the loss of stage=sft, greedy replies over several turns, and
loss and gradient of task=dpo. The gradient is read from one step of SGD.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEMPLATE = """{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' %}{% generation %}{{- m.content + '<|im_end|>' }}{% endgeneration %}{{- '\\n' }}
{%- else %}{{- m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}"""
CHATS = [
    [("system", "Be kind."), ("user", "What is rain?"), ("assistant", "Water that falls."), ("user", "Größe?"),
     ("assistant", "Wide 😀 and far.\n")],
    [("user", " two  spaces "), ("assistant", "\tyes")],
    [("user", "the quick brown fox"), ("assistant", "jumps over the lazy dog")],
]


def messages_of(chat):
    return [{"role": role, "content": content} for role, content in chat]


def write_model(folder, seed):
    torch.manual_seed(seed)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    special = ["<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text for chat in CHATS for _, text in chat] * 3, trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>",
                                                pad_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    config = transformers.LlamaConfig(vocab_size=len(fast), hidden_size=48, intermediate_size=96, num_hidden_layers=2,
                                      num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
                                      initializer_range=0.2, eos_token_id=fast.eos_token_id, bos_token_id=None)
    model = transformers.LlamaForCausalLM(config)
    model.generation_config.eos_token_id = fast.eos_token_id
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return fast, model.eval()


def run(galore, *words, stdin=None):
    done = subprocess.run([galore, *map(str, words)], input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def encoded(tokenizer, chat):
    out = tokenizer.apply_chat_template(messages_of(chat), return_dict=True, return_assistant_tokens_mask=True)
    return out["input_ids"], [i if m else -100 for i, m in zip(out["input_ids"], out["assistant_masks"])]


def check_labels(galore, folder, tokenizer):
    rows = write_rows(folder / "chats.jsonl", [{"messages": messages_of(c)} for c in CHATS])
    run(galore, "tokenize", "--model_name_or_path", folder / "model", "--input", rows, "--output",
        folder / "ids.jsonl", "--apply_chat_template", "--assistant_only_loss")
    for chat, line in zip(CHATS, (folder / "ids.jsonl").read_text().splitlines(), strict=True):
        ids, labels = encoded(tokenizer, chat)
        row = json.loads(line)
        assert row["input_ids"] == ids, (row["input_ids"], ids)
        assert row["labels"] == labels, (row["labels"], labels)
    return rows


def token_losses(model, ids, labels):
    logits = model(torch.tensor([ids])).logits[0, :-1].double()
    return torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), reduction="none", ignore_index=-100)


def check_loss(galore, folder, tokenizer, model, rows):
    total, count = 0.0, 0
    with torch.no_grad():
        for chat in CHATS:
            ids, labels = encoded(tokenizer, chat)
            total += token_losses(model, ids, labels).sum().item()
            count += sum(label != -100 for label in labels[1:])
    for packing in ("true", "false"):
        out = json.loads(run(galore, "eval", "--model_name_or_path", folder / "model", "--stage", "sft", "--eval_file",
                             rows, "--packing", packing, "--cache_dir", folder / "cache", "--json"))
        assert out["num_tokens"] == count, (out, count)
        assert abs(out["eval_loss"] - total / count) < 1e-5, (out, total / count)


def check_replies(galore, folder, tokenizer, model):
    history = [{"role": "system", "content": "Be kind."}]
    turns = ["What is rain?", "the quick brown fox", "Größe?"]
    lines = run(galore, "generate", "--model_name_or_path", folder / "model", "--chat", "--system", "Be kind.",
                "--max_new_tokens", 20, "--json", stdin="\n".join(turns) + "\n").splitlines()
    for turn_text, line in zip(turns, lines, strict=True):
        history.append({"role": "user", "content": turn_text})
        ids = tokenizer.apply_chat_template(history, add_generation_prompt=True, return_dict=True)["input_ids"]
        with torch.no_grad():
            out = model.generate(torch.tensor([ids]), max_new_tokens=20, do_sample=False)[0, len(ids):].tolist()
        reply = json.loads(line)
        assert reply["output_ids"] == out, (reply, out)
        history.append({"role": "assistant", "content": tokenizer.decode(out, skip_special_tokens=True)})


PAIRS = [("What is rain?", " Water.", " Fire and ice."), ("the quick", " brown fox", " dog"), ("Be", " kind", " wide")]


def pair_ids(tokenizer, prompt, answer):
    ids = tokenizer(prompt)["input_ids"]
    rest = tokenizer(answer, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return ids + rest, [-100] * len(ids) + rest


def preference_loss(model, reference, tokenizer, kind, beta):
    """The formulas of TRL's DPOTrainer: mean over pairs."""
    losses = []
    for prompt, chosen, rejected in PAIRS:
        ratio = []
        for answer in (chosen, rejected):
            ids, labels = pair_ids(tokenizer, prompt, answer)
            with torch.no_grad():
                base = -token_losses(reference, ids, labels).sum()
            own = -token_losses(model, ids, labels).sum()
            share = 1 / sum(label != -100 for label in labels) if kind == "ipo" else 1
            ratio.append((own - base) * share)
        h = ratio[0] - ratio[1]
        losses.append((h - 1 / (2 * beta)) ** 2 if kind == "ipo" else -torch.nn.functional.logsigmoid(beta * h))
    return torch.stack(losses).mean()


def check_trl(folder, tokenizer, model, reference):
    """Compares preference_loss() with TRL itself."""
    try:
        import datasets
        import trl
    except ImportError:
        print("TRL is not installed: only its formulas are compared")
        return
    rows = datasets.Dataset.from_list([dict(zip(("prompt", "chosen", "rejected"), p)) for p in PAIRS])
    for kind, beta in (("sigmoid", 0.7), ("ipo", 0.2)):
        config = trl.DPOConfig(output_dir=str(folder / "trl"), beta=beta, loss_type=[kind], report_to=[], bf16=False,
                               per_device_train_batch_size=len(PAIRS), use_cpu=True, gradient_checkpointing=False)
        trainer = trl.DPOTrainer(model=copy.deepcopy(model), ref_model=copy.deepcopy(reference), args=config,
                                 train_dataset=rows, processing_class=tokenizer)
        loss = trainer.compute_loss(trainer.model, next(iter(trainer.get_train_dataloader())))
        own_model = copy.deepcopy(model)
        own = preference_loss(own_model, reference, tokenizer, kind, beta)
        assert abs(loss.item() - own.item()) < 1e-4 * max(1, own.item()), (kind, loss, own)
        loss.backward(), own.backward()
        for (name, theirs), parameter in zip(trainer.model.named_parameters(), own_model.parameters(), strict=True):
            # TRL computes a padded batch and we compute rows, so products of fp32 are added in
            # another order.
            error = (theirs.grad - parameter.grad).norm() / parameter.grad.norm().clamp_min(1e-12)
            assert error < 1e-4, (kind, name, error.item())
    print(f"loss and gradient of task=dpo equal TRL {trl.__version__}")


def check_preferences(galore, folder, tokenizer, model, reference):
    rows = write_rows(folder / "pairs.jsonl", [dict(zip(("prompt", "chosen", "rejected"), p)) for p in PAIRS])
    rate = 1e-3
    for kind, beta in (("sigmoid", 0.1), ("sigmoid", 0.7), ("ipo", 0.2)):
        trained = copy.deepcopy(model)
        loss = preference_loss(trained, reference, tokenizer, kind, beta)
        loss.backward()
        options = ["--task", "dpo", "--dpo_loss", kind, "--dpo_beta", beta, "--ref_model", folder / "reference"]
        out = json.loads(run(galore, "eval", "--model_name_or_path", folder / "model", "--eval_file", rows, "--json",
                             *options))
        assert abs(out["eval_loss"] - loss.item()) < 1e-5 * max(1, loss.item()), (kind, out, loss.item())
        run(galore, "train", "--model_name_or_path", folder / "model", "--train_file", rows, "--output_dir",
            folder / f"dpo-{kind}-{beta}", "--optim", "sgd", "--learning_rate", rate, "--lr_scheduler_type", "constant",
            "--max_steps", 1, "--per_device_train_batch_size", len(PAIRS), "--max_grad_norm", 0, "--weight_decay", 0,
            "--warmup_steps", 0, *options)
        saved = load_file(folder / f"dpo-{kind}-{beta}" / "model.safetensors")
        for name, parameter in trained.named_parameters():
            gradient = (parameter.detach() - saved[name]) / rate
            error = (gradient - parameter.grad).norm() / parameter.grad.norm().clamp_min(1e-12)
            # The step is subtracted from weights of about 0.2 in fp32, which leaves an error of
            # about 1e-8 / rate.
            bound = 2e-3 + 3e-5 * parameter.numel() ** 0.5 / parameter.grad.norm().item()
            assert error < bound, (kind, name, error.item(), bound)


def main():
    galore = str(pathlib.Path(sys.argv[1]).resolve())
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tokenizer, model = write_model(folder / "model", 1)
        _, reference = write_model(folder / "reference", 2)
        rows = check_labels(galore, folder, tokenizer)
        print("labels equal")
        check_loss(galore, folder, tokenizer, model, rows)
        print("loss of stage=sft equal, packed and not")
        check_replies(galore, folder, tokenizer, model)
        print("greedy replies equal")
        check_trl(folder, tokenizer, model, reference)
        check_preferences(galore, folder, tokenizer, model, reference)
        print("loss and gradient of task=dpo equal")


if __name__ == "__main__":
    main()
