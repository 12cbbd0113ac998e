"""Freezes the results of peft for adapters of the small checkpoints in data/.

Usage: python make_adapter_vectors.py DATA_DIRECTORY OUTPUT_DIRECTORY

Made with torch 2.11.0, transformers 4.57.6 and peft 0.21.2, in fp32 on the CPU, with eager attention
and one thread.

Each case becomes a folder: adapter_config.json and adapter_model.safetensors as peft saves them, and
expected.safetensors with ids, labels, logits, the gradient of the mean loss for every trained tensor
("gradient/<name in the file>"), and every trained tensor after five AdamW updates ("after/<name>").
AdamW has weight decay 0.1 for matrices and an epsilon of 1e-4: with a small epsilon it would turn the
rounding of gradients that are zero in exact arithmetic, such as a key bias's, into whole steps.
"""

import json
import pathlib
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

CASES = {
    "lora_llama": ("plain", dict(r=3, lora_alpha=5, target_modules="all-linear")),
    "rslora_qwen2": ("qwen2", dict(r=4, lora_alpha=6, use_rslora=True, target_modules=["q_proj", "k_proj", "up_proj"],
                                   rank_pattern={"q_proj": 2, "layers.1.mlp.up_proj": 5}, alpha_pattern={"k_proj": 3},
                                   bias="lora_only")),
    "dora_llama": ("biases", dict(r=2, lora_alpha=4, use_dora=True, target_modules=r".*\.(?P<name>q_proj|down_proj)",
                                  bias="all")),
    "dora_qwen2": ("qwen2", dict(r=4, lora_alpha=4, use_dora=True, use_rslora=True, target_modules="all-linear",
                                 exclude_modules=["o_proj"], modules_to_save=["lm_head", "model.norm"])),
    "lora_gpt2": ("gpt2", dict(r=4, lora_alpha=8, target_modules=["c_attn", "mlp.c_proj"], layers_to_transform=[1],
                               fan_in_fan_out=True, bias="all")),
    "dora_gpt2": ("gpt2_untied_gelu", dict(r=3, lora_alpha=8, use_dora=True, target_modules=["c_fc", "c_attn"],
                                           fan_in_fan_out=True, modules_to_save=["wte"])),
    "embedding_lora_qwen2": ("qwen2", dict(r=3, lora_alpha=6, target_modules=["embed_tokens", "v_proj", "lm_head"])),
    "embedding_dora_llama": ("plain", dict(r=2, lora_alpha=3, use_dora=True,
                                           target_modules=["embed_tokens", "down_proj", "lm_head"])),
    "embedding_lora_gpt2": ("gpt2", dict(r=4, lora_alpha=6, target_modules=["wte", "wpe", "c_fc"],
                                         fan_in_fan_out=True)),
    "embedding_dora_gpt2": ("gpt2", dict(r=3, lora_alpha=4, use_dora=True, target_modules=["wte"])),
    "saved_biases_gpt2": ("gpt2", dict(r=2, lora_alpha=3, target_modules=["c_attn"], layers_to_transform=[1],
                                       layers_pattern="transformer.h", fan_in_fan_out=True, bias="all",
                                       modules_to_save=["ln_f", "h.0.mlp"])),
}


def file_names(model):
    """Names in the file of the trained parameters."""
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            short = name.replace(".modules_to_save.default", "").replace(".default", "")
            yield short.removesuffix(".weight") if "magnitude" in short else short, weight


def mean_loss(model, ids, labels):
    logits = model(input_ids=ids).logits
    return torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1))


def make_case(data, folder, base, settings, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(data / base, dtype=torch.float32, attn_implementation="eager")
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    with torch.no_grad():
        for name, weight in file_names(model):
            if "lora_B" in name or "embedding_A" in name:
                weight.normal_(0, 0.1)
            elif weight.dim() == 1:
                weight.mul_(1.2)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    names = dict(file_names(model))
    others = set(load_file(folder / "adapter_model.safetensors")) - set(names)
    # With bias="all" peft writes the biases of saved modules again.
    assert all(name.endswith("base_layer.weight") or ".modules_to_save." in name or ".original_module." in name
               for name in others), others

    ids = torch.randint(2, 61, (3, 17))
    labels = ids.clone()
    labels[torch.rand(ids.shape) < 0.2] = -100
    expected = {"ids": ids, "labels": labels, "logits": model(input_ids=ids).logits.detach()}
    groups = [{"params": [w for w in names.values() if w.dim() > 1], "weight_decay": 0.1},
              {"params": [w for w in names.values() if w.dim() == 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, eps=1e-4)
    for update in range(5):
        optimizer.zero_grad()
        mean_loss(model, ids, labels).backward()
        if update == 0:
            expected.update({"gradient/" + name: weight.grad.clone() for name, weight in names.items()})
        optimizer.step()
    expected.update({"after/" + name: weight.detach() for name, weight in names.items()})
    save_file({name: value.contiguous() for name, value in expected.items()}, folder / "expected.safetensors")


def check(data, saved, base):
    """Prints how far the logits of peft with an adapter that galore has saved are from the expected ones."""
    model = AutoModelForCausalLM.from_pretrained(data / base, dtype=torch.float32, attn_implementation="eager")
    model = PeftModel.from_pretrained(model, saved).eval()
    expected = load_file(saved / "expected.safetensors")
    print(saved, (model(input_ids=expected["ids"]).logits - expected["logits"]).abs().max().item())


def main():
    torch.set_num_threads(1)
    data, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    for seed, (name, (base, settings)) in enumerate(CASES.items()):
        if sys.argv[3:] == ["check"]:
            check(data, output / name, base)
        else:
            make_case(data, output / name, base, settings, seed)


if __name__ == "__main__":
    main()
