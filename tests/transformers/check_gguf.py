"""Exports the models of write_models.py as GGUF files and reads them with the `gguf` package.

    python check_gguf.py GALORE FOLDER

Names of tensors are those of the package's table, values are those of transformers in the layout of
llama.cpp, and q8_0 has the package's bytes. If llama-cpp-python is installed, its logits and ids
are compared too.
"""
import importlib.util
import json
import math
import pathlib
import re
import sys

import gguf
import numpy
import torch
import transformers
from gguf.quants import dequantize, quantize
from write_models import run

ARCHITECTURES = {"llama": gguf.MODEL_ARCH.LLAMA, "mistral": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2,
                 "qwen3": gguf.MODEL_ARCH.QWEN3, "qwen3_moe": gguf.MODEL_ARCH.QWEN3MOE, "gpt2": gguf.MODEL_ARCH.GPT2,
                 "gpt_neox": gguf.MODEL_ARCH.GPTNEOX, "olmo2": gguf.MODEL_ARCH.OLMO2, "olmo3": gguf.MODEL_ARCH.OLMO2,
                 "smollm3": gguf.MODEL_ARCH.SMOLLM3, "granite": gguf.MODEL_ARCH.GRANITE,
                 "ernie4_5": gguf.MODEL_ARCH.ERNIE4_5, "phi3": gguf.MODEL_ARCH.PHI3, "gemma2": gguf.MODEL_ARCH.GEMMA2,
                 "gemma3_text": gguf.MODEL_ARCH.GEMMA3}
NEIGHBOURS = ("llama", "mistral", "smollm3", "granite")  # llama.cpp rotates neighbouring rows of these
HEADS_APART = ("gpt_neox", "olmo2", "olmo3")  # llama.cpp wants a head also where it is tied
KEYS = {"qwen3_moe": {"expert_count": 5, "expert_used_count": 2, "expert_feed_forward_length": 24},
        "gpt_neox": {"use_parallel_residual": True, "rope.dimension_count": 4},
        "gpt_neox_tied": {"use_parallel_residual": False, "rope.dimension_count": 8},
        "olmo3": {"attention.sliding_window": 8, "attention.sliding_window_pattern": [True, False],
                  "rope.scaling.type": "yarn", "rope.freq_base_swa": 10000.0},
        "granite": {"attention.scale": 0.2, "embedding_scale": 3.0, "residual_scale": 0.4, "logit_scale": 2.5},
        "phi3_longrope": {"rope.scaling.attn_factor": (1 + math.log(4) / math.log(16))**0.5,
                          "rope.scaling.original_context_length": 16},
        "gemma2": {"attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0, "attention.sliding_window": 8,
                   "attention.sliding_window_pattern": [True, False]},
        "gemma3_text": {"rope.freq_base_swa": 500.0, "rope.scaling.factor": 4.0, "attention.sliding_window": 8}}
TYPES = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
         "bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0}
TYPES_BY_NUMBER = {value.value: value for value in gguf.GGMLQuantizationType}


def in_layout(name, value, config):
    """Returns the numbers in llama.cpp's layout."""
    if config.model_type == "gpt2" and name.endswith(".weight") and ".c_" in name:
        return value.T
    if config.model_type.startswith("gemma") and name.endswith("norm.weight"):
        return value + 1
    if ".query_key_value." in name:
        by_head = value.reshape(config.num_attention_heads, 3, -1, *value.shape[1:])
        return by_head.swapaxes(0, 1).reshape(value.shape)
    heads = {"q_proj": config.num_attention_heads, "k_proj": getattr(config, "num_key_value_heads", 0)}.get(name.split(".")[-2])
    if config.model_type not in NEIGHBOURS or not heads:
        return value
    return value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)


def expected_tensors(model):
    config = model.config
    names = gguf.get_tensor_name_map(ARCHITECTURES[config.model_type], config.num_hidden_layers)
    experts = {}
    for name, value in model.state_dict().items():
        head = name in ("lm_head.weight", "embed_out.weight")
        if head and config.tie_word_embeddings and config.model_type not in HEADS_APART:
            continue
        if ".experts." in name:
            experts.setdefault(re.sub(r"experts\.\d+\.", "experts.", name), []).append(value.numpy())
            continue
        yield names.get_name(name, try_suffixes=(".weight", ".bias")), in_layout(name, value.numpy(), config)
    for name, values in experts.items():
        yield names.get_name(name, try_suffixes=(".weight",)), numpy.stack(values)


def check_tensors(file, model, kind):
    found = {tensor.name: tensor for tensor in file.tensors}
    rope = found.pop("rope_freqs.weight", None)
    for kind_of_factor in ("long", "short"):
        factors = found.pop(f"rope_factors_{kind_of_factor}.weight", None)
        if factors is not None:
            assert numpy.allclose(factors.data, model.config.rope_scaling[f"{kind_of_factor}_factor"])
    expected = dict(expected_tensors(model))
    assert set(found) == set(expected), set(found) ^ set(expected)
    for name, value in expected.items():
        stored = TYPES_BY_NUMBER[found[name].tensor_type]
        whole = value.ndim < 2 or name.startswith("position_embd") or "ffn_gate_inp" in name
        fits = kind != "q8_0" or value.shape[-1] % 32 == 0
        assert stored == (TYPES["f32"] if whole else TYPES[kind] if fits else TYPES["f16"]), (name, stored)
        value = numpy.ascontiguousarray(value, dtype=numpy.float32)
        assert numpy.array_equal(dequantize(found[name].data, stored).reshape(value.shape),
                                 dequantize(quantize(value, stored), stored).reshape(value.shape)), name
    if rope is not None:
        frequencies = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](model.config, "cpu")[0]
        head_dim = model.config.head_dim
        plain = 1 / model.config.rope_theta ** (torch.arange(0, head_dim, 2) / head_dim)
        assert torch.allclose(torch.tensor(rope.data), plain / frequencies, rtol=1e-5)


def value_of(file, key):
    return file.get_field(key).contents()


def check_keys(file, name):
    architecture = value_of(file, "general.architecture")
    for key, expected in KEYS.get(name, {}).items():
        found = value_of(file, f"{architecture}.{key}")
        close = abs(found - expected) < 1e-6 if isinstance(expected, float) else found == expected
        assert close, (name, key, found, expected)


def check_tokenizer(file, directory, vocab_size):
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    tokens = value_of(file, "tokenizer.ggml.tokens")
    assert len(tokens) == vocab_size
    for text, id in tokenizer.get_vocab().items():
        assert tokens[id] == text, (id, tokens[id], text)
    kinds = value_of(file, "tokenizer.ggml.token_type")
    assert kinds[tokenizer.bos_token_id] == gguf.TokenType.CONTROL and kinds[-1] == gguf.TokenType.UNUSED
    for key in ("bos", "eos"):
        assert value_of(file, f"tokenizer.ggml.{key}_token_id") == getattr(tokenizer, f"{key}_token_id")
    assert value_of(file, "tokenizer.ggml.add_bos_token") is True and value_of(file, "tokenizer.ggml.add_eos_token") is False
    assert value_of(file, "tokenizer.chat_template") == tokenizer.chat_template


def check_llama_cpp(path, model, directory, expected, kind):
    import llama_cpp

    llama = llama_cpp.Llama(str(path), n_ctx=64, logits_all=True, verbose=False, n_threads=2)
    # Mistral's window is not llama.cpp's; all others are compared beyond windows and original
    # contexts.
    prompt = expected["prompt"] if model.config.model_type == "mistral" else expected["rows"][0]
    llama.eval(prompt)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt])).logits[0].numpy()
    # llama.cpp keeps keys and values in fp16, and multiplies by q8_0 in 8 bits.
    limit = {"f32": 0.01, "f16": 0.02, "bf16": 0.1, "q8_0": 0.1}[kind] * numpy.abs(logits).max()
    worst = numpy.abs(numpy.array(llama.scores[:len(prompt)]) - logits).max()
    assert worst < limit, f"{path}: logits differ by {worst}"
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    for text in ("Row 7 of rain", " two  blanks", "né 12345 \n\n x", "4 times."):
        ids = llama.tokenize(text.encode(), add_bos=True, special=False)
        assert ids == tokenizer(text)["input_ids"], (path, text, ids, tokenizer(text)["input_ids"])


def main():
    galore, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    with_llama_cpp = importlib.util.find_spec("llama_cpp") is not None
    checked = 0
    for stored in sorted((folder / "expected").iterdir()):
        directory = folder / "models" / stored.stem
        (directory / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
        expected = json.loads(stored.read_text())
        model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype="float32")
        for kind in TYPES:
            path = folder / f"{stored.stem}-{kind}.gguf"
            run(galore, "export", "--model_name_or_path", directory, "--output", path, "--type", kind)
            file = gguf.GGUFReader(path)
            assert value_of(file, "general.architecture") == gguf.MODEL_ARCH_NAMES[ARCHITECTURES[model.config.model_type]]
            check_tensors(file, model, kind)
            check_keys(file, stored.stem)
            check_tokenizer(file, directory, model.config.vocab_size)
            if with_llama_cpp:
                check_llama_cpp(path, model, directory, expected, kind)
            checked += 1
    print(f"gguf: {checked} files are right" + (", and llama.cpp's logits and ids" if with_llama_cpp else ""))


if __name__ == "__main__":
    main()
