"""Freezes what transformers computes for small random LLaMA checkpoints.

Usage: python make_llama_vectors.py OUTPUT_DIRECTORY
Made with torch 2.11.0, transformers 4.57.1 and safetensors, fp32 on the CPU, eager attention, one thread.

Each case becomes a folder: config.json and model.safetensors as transformers saves them, and expected.safetensors
with ids, labels (some -100), the mean loss, the number of labels that count, logits, the gradient of the mean
loss for every weight ("gradient/<name>"), and a prompt with its greedy continuation.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

BASE = dict(vocab_size=61, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=64, initializer_range=0.2, rms_norm_eps=1e-6,
            bos_token_id=1, eos_token_id=None, attn_implementation="eager")
LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
CASES = {
    "plain": {},
    "grouped_tied": dict(num_key_value_heads=2, tie_word_embeddings=True),
    "biases": dict(attention_bias=True, mlp_bias=True, num_key_value_heads=1),
    "wide_heads": dict(head_dim=12, num_key_value_heads=2, rope_theta=500.0),
    "linear": dict(rope_scaling=dict(rope_type="linear", factor=2.5)),
    "dynamic": dict(rope_scaling=dict(rope_type="dynamic", factor=2.0), max_position_embeddings=16),
    "llama3": dict(rope_scaling=LLAMA3, rms_norm_eps=1e-5),
}


def build(changes, seed):
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**{**BASE, **changes})).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.1)
            elif weight.dim() == 1:
                weight.normal_(1, 0.1)
    return model


def make_case(folder, changes, seed):
    model = build(changes, seed)
    model.save_pretrained(folder)
    generator = torch.Generator().manual_seed(seed + 100)
    ids = torch.randint(2, 61, (3, 23), generator=generator)
    labels = ids.clone()
    labels[torch.rand(ids.shape, generator=generator) < 0.2] = -100
    labels[2, 3:] = -100
    out = model(input_ids=ids, labels=labels)
    out.loss.backward()
    expected = {"ids": ids, "labels": labels, "loss": out.loss.detach().reshape(1),
                "num_tokens": (labels[:, 1:] != -100).sum().reshape(1), "logits": out.logits.detach()}
    for name, weight in model.named_parameters():
        expected["gradient/" + name] = weight.grad
    # A new model: the dynamic scaling of transformers remembers the longest sequence it has seen.
    prompt = ids[:1, :7].clone()
    continuation = build(changes, seed).generate(prompt, attention_mask=torch.ones_like(prompt),
                                                 max_new_tokens=14, do_sample=False, pad_token_id=0)
    expected["prompt"] = prompt[0]
    expected["continuation"] = continuation[0, prompt.shape[1]:]
    save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")


def main():
    torch.set_num_threads(1)
    root = pathlib.Path(sys.argv[1])
    for seed, (name, changes) in enumerate(CASES.items()):
        make_case(root / name, changes, seed)
        (root / name / "generation_config.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
