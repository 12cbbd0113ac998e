"""Freezes the results of transformers for small random checkpoints of every architecture.

Usage: python make_vectors.py OUTPUT_DIRECTORY [CASE...]

Made with torch 2.11.0 and safetensors, in fp32 on the CPU, with eager attention and one thread. LLaMA's
cases are of transformers 4.57.1, those of Mistral, Qwen and GPT-2 of 4.57.6, and the cases of CASES_V5
of 5.24.0.
activations.safetensors is of 5.24.0, too.

Each case becomes a folder: config.json and model.safetensors (or shards) as transformers saves
them, and expected.safetensors with ids, labels (some -100), the mean loss, the number of labels
that count, logits, the gradient of the mean loss for every weight ("gradient/<name>"), and a prompt
with its greedy continuation. Cases in bf16 or fp16 are saved in this format and computed in fp32
from the saved values.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
import transformers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config
from transformers.activations import ACT2FN

BASE = dict(vocab_size=61, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=64, initializer_range=0.2, rms_norm_eps=1e-6,
            bos_token_id=1, eos_token_id=None)
GPT2 = dict(vocab_size=61, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.2, bos_token_id=1,
            eos_token_id=None)
GROUPED = dict(num_key_value_heads=2)
LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16)
CASES = {
    "plain": (LlamaConfig, {}),
    "grouped_tied": (LlamaConfig, dict(GROUPED, tie_word_embeddings=True)),
    "biases": (LlamaConfig, dict(attention_bias=True, mlp_bias=True, num_key_value_heads=1)),
    "wide_heads": (LlamaConfig, dict(GROUPED, head_dim=12, rope_theta=500.0)),
    "linear": (LlamaConfig, dict(rope_scaling=dict(rope_type="linear", factor=2.5))),
    "dynamic": (LlamaConfig, dict(rope_scaling=dict(rope_type="dynamic", factor=2.0), max_position_embeddings=16)),
    "llama3": (LlamaConfig, dict(rope_scaling=LLAMA3, rms_norm_eps=1e-5)),
    "yarn": (LlamaConfig, dict(rope_scaling=YARN)),
    "yarn_mscale": (LlamaConfig, dict(rope_scaling=dict(YARN, beta_fast=4.0, beta_slow=0.5, mscale=1.0,
                                                        mscale_all_dim=0.5, truncate=False))),
    "padded": (LlamaConfig, dict(pad_token_id=5, tie_word_embeddings=True)),
    "mistral": (MistralConfig, dict(GROUPED, sliding_window=8)),
    "mistral_wide_heads": (MistralConfig, dict(GROUPED, sliding_window=None, head_dim=12)),
    "mistral_float16": (MistralConfig, dict(GROUPED, sliding_window=3, dtype="float16")),
    "qwen2": (Qwen2Config, dict(GROUPED, use_sliding_window=False)),
    "qwen2_tied_bfloat16": (Qwen2Config, dict(GROUPED, tie_word_embeddings=True, dtype="bfloat16")),
    "qwen2_windows": (Qwen2Config, dict(GROUPED, num_hidden_layers=3, use_sliding_window=True, sliding_window=5,
                                        max_window_layers=1)),
    "qwen2_yarn_shards": (Qwen2Config, dict(GROUPED, rope_scaling=YARN, shards="20kB")),
    "qwen3": (Qwen3Config, dict(GROUPED, head_dim=12)),
    "qwen3_biases_tied": (Qwen3Config, dict(GROUPED, head_dim=8, attention_bias=True, tie_word_embeddings=True)),
    "qwen3_windows": (Qwen3Config, dict(GROUPED, head_dim=8, use_sliding_window=True, sliding_window=4,
                                        layer_types=["sliding_attention", "full_attention"])),
    "gpt2": (GPT2Config, {}),
    "gpt2_untied_gelu": (GPT2Config, dict(tie_word_embeddings=False, activation_function="gelu", n_inner=40,
                                          layer_norm_epsilon=1e-4)),
    "gpt2_bfloat16_shards": (GPT2Config, dict(dtype="bfloat16", shards="20kB")),
}


NEOX = dict(vocab_size=61, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64, initializer_range=0.2, bos_token_id=1, eos_token_id=None)
LONGROPE = dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.2, 1.3],
                long_factor=[1.5, 2.0, 3.0, 4.0])
MIXED = ["sliding_attention", "full_attention", "sliding_attention"]
CASES_V5 = {
    "olmo2": ("Olmo2Config", dict(GROUPED, pad_token_id=5)),
    "olmo2_tied_biases": ("Olmo2Config", dict(attention_bias=True, tie_word_embeddings=True, pad_token_id=None)),
    "smollm3": ("SmolLM3Config", dict(GROUPED, num_hidden_layers=5, pad_token_id=None)),
    "smollm3_windows": ("SmolLM3Config", dict(GROUPED, num_hidden_layers=3, no_rope_layers=[1, 0, 1], sliding_window=5,
                                              use_sliding_window=True, pad_token_id=None)),
    "granite": ("GraniteConfig", dict(GROUPED, embedding_multiplier=3.0, residual_multiplier=0.4, logits_scaling=2.5,
                                      attention_multiplier=0.2)),
    "ernie4_5": ("Ernie4_5Config", dict(GROUPED, head_dim=8, pad_token_id=None)),
    "ernie4_5_biases_untied": ("Ernie4_5Config", dict(GROUPED, head_dim=12, use_bias=True, tie_word_embeddings=False,
                                                      pad_token_id=None)),
    "phi3": ("Phi3Config", dict(GROUPED, pad_token_id=5)),
    "phi3_longrope": ("Phi3Config", dict(GROUPED, pad_token_id=None, original_max_position_embeddings=16,
                                         rope_parameters=LONGROPE)),
    "phi3_partial_window": ("Phi3Config", dict(GROUPED, pad_token_id=None, hidden_size=64, sliding_window=6,
                                               tie_word_embeddings=True,
                                               rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                                                    partial_rotary_factor=0.75))),
    "gemma2": ("Gemma2Config", dict(GROUPED, num_hidden_layers=3, head_dim=12, sliding_window=5, pad_token_id=0,
                                    query_pre_attn_scalar=20, attn_logit_softcapping=3.0, final_logit_softcapping=4.0)),
    "gemma2_without_caps": ("Gemma2Config", dict(GROUPED, head_dim=8, sliding_window=5, pad_token_id=0,
                                                 attn_logit_softcapping=None, final_logit_softcapping=None,
                                                 attention_bias=True, hidden_activation="gelu")),
    "gemma3_text": ("Gemma3TextConfig", dict(GROUPED, num_hidden_layers=3, head_dim=12, sliding_window=5,
                                             layer_types=MIXED, pad_token_id=0, query_pre_attn_scalar=20)),
    "gemma3_text_scaled": ("Gemma3TextConfig", dict(
        GROUPED, num_hidden_layers=3, head_dim=8, sliding_window=5, layer_types=MIXED, pad_token_id=0,
        final_logit_softcapping=6.0,
        rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=3000.0),
                             sliding_attention=dict(rope_type="default", rope_theta=500.0)))),
    "gpt_neox": ("GPTNeoXConfig", {}),
    "gpt_neox_sequential": ("GPTNeoXConfig", dict(
        use_parallel_residual=False, attention_bias=False, tie_word_embeddings=True, hidden_act="relu2",
        rope_parameters=dict(rope_type="default", rope_theta=500.0, partial_rotary_factor=0.5))),
    "olmo3": ("Olmo3Config", dict(GROUPED, num_hidden_layers=4, sliding_window=5, pad_token_id=None)),
    "olmo3_yarn": ("Olmo3Config", dict(
        GROUPED, num_hidden_layers=2, sliding_window=5, layer_types=MIXED[:2], pad_token_id=None,
        rope_parameters=dict(full_attention=dict(YARN, rope_theta=10000.0),
                             sliding_attention=dict(rope_type="default", rope_theta=10000.0)))),
    "gpt2_scores": ("GPT2Config", dict(scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True)),
    "gpt2_without_scale": ("GPT2Config", dict(scale_attn_weights=False, activation_function="gelu_fast",
                                              initializer_range=0.1)),
    "llama_rope_at_the_top": ("LlamaConfig", dict(rope_parameters=dict(YARN, rope_theta=300.0))),
    "qwen3_moe": ("Qwen3MoeConfig", dict(GROUPED, head_dim=8, num_experts=5, num_experts_per_tok=2,
                                         moe_intermediate_size=20, norm_topk_prob=True)),
    "qwen3_moe_balanced": ("Qwen3MoeConfig", dict(
        GROUPED, head_dim=8, num_hidden_layers=4, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=12,
        mlp_only_layers=[1], output_router_logits=True, router_aux_loss_coef=0.3, tie_word_embeddings=True)),
    "qwen3_moe_idle": ("Qwen3MoeConfig", dict(GROUPED, head_dim=8, num_hidden_layers=1, num_experts=90,
                                              num_experts_per_tok=1, moe_intermediate_size=8)),
    "gated_mish": ("LlamaConfig", dict(hidden_act="mish", num_hidden_layers=1)),
    "plain_relu6": ("GPT2Config", dict(activation_function="relu6", n_layer=1)),
}
if transformers.__version__ >= "5":
    CASES.update({name: (getattr(transformers, kind), changes) for name, (kind, changes) in CASES_V5.items()})


def build(config, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.1)
            elif weight.dim() == 1:
                weight.normal_(0 if config.model_type.startswith("gemma") else 1, 0.1)
    return model


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def save_checkpoint(folder, kind, changes, seed):
    changes = dict(changes)
    shards, dtype = changes.pop("shards", "5GB"), changes.pop("dtype", "float32")
    base = GPT2 if kind is GPT2Config else NEOX if kind.model_type == "gpt_neox" else BASE
    model = build(kind(**{**base, **changes}), seed)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=shards)


def in_file(model, name, gradient):
    """Yields the names in files, where transformers 5 has others: GPT-NeoX's head, and the matrices of experts."""
    if model.config.model_type == "gpt_neox":
        name = name.replace("lm_head", "embed_out")
    if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
        yield name, gradient
        return
    prefix, kind = name.rsplit(".", 1)
    for number, one in enumerate(gradient):
        parts = zip(("gate_proj", "up_proj"), one.chunk(2)) if kind == "gate_up_proj" else [(kind, one)]
        for part, matrix in parts:
            yield f"{prefix}.{number}.{part}.weight", matrix


def make_case(folder, kind, changes, seed):
    save_checkpoint(folder, kind, changes, seed)
    model = load(folder)
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
        for stored, gradient in in_file(model, name, weight.grad):
            expected["gradient/" + stored] = gradient
    # This uses a new model, because the dynamic scaling of transformers remembers the longest
    # sequence.
    prompt = ids[:1, :7].clone()
    continuation = load(folder).generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=14,
                                         do_sample=False, pad_token_id=0)
    expected["prompt"] = prompt[0]
    expected["continuation"] = continuation[0, prompt.shape[1]:]
    save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")


def make_activations(path):
    """Writes x, and value and slope of every activation without parameters of its own."""
    x = torch.linspace(-13, 13, 313)
    tensors = {"x": x}
    for name in sorted(set(ACT2FN) - {"prelu", "xielu"}):
        at = x.clone().requires_grad_()
        value = ACT2FN[name](at)
        value.sum().backward()
        tensors[f"value/{name}"], tensors[f"slope/{name}"] = value.detach().clone(), at.grad
    save_file(tensors, path)


def main():
    torch.set_num_threads(1)
    root = pathlib.Path(sys.argv[1])
    if transformers.__version__ >= "5":
        make_activations(root / "activations.safetensors")
    for seed, (name, (kind, changes)) in enumerate(CASES.items()):
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        make_case(root / name, kind, changes, seed)
        (root / name / "generation_config.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
