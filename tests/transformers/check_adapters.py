"""Trains adapters with the program and reads them with peft.

    python check_adapters.py GALORE FOLDER

FOLDER has the models of write_models.py. Each case trains a tiny adapter of one of them. peft loads it without a
warning and gets the program's loss, or for a classifier its logits. The merged model gives the same loss in
transformers alone.
"""
import json
import pathlib
import sys
import warnings

import torch
import transformers
from peft import PeftModel
from write_models import ROWS, run

# Sums of some hundred products in fp32 in another order.
TOLERANCE = 2e-5
# The model, and options of `galore train`.
CASES = {
    "lora": ("llama", ["adapter=lora", "adapter_args=r=4,lora_alpha=8,lora_dropout=0.1"]),
    "rslora": ("qwen2", ["adapter=rslora", 'adapter_args={"r": 4, "target_modules": ["q_proj", "up_proj"], "bias": "lora_only", '
                                           '"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.mlp.up_proj": 3}}']),
    "dora": ("qwen3", ["adapter=dora", "adapter_args=r=3,lora_alpha=6,exclude_modules=o_proj,modules_to_save=lm_head"]),
    "embedding": ("llama", ["adapter=lora_plus", "adapter_args=r=3,target_modules=embed_tokens,lm_head,v_proj"]),
    "tied_embedding": ("llama_tied_rope", ["adapter=dora", "adapter_args=r=3,target_modules=embed_tokens,k_proj"]),
    "gpt2": ("gpt2", ["adapter=dora", "adapter_args=r=3,target_modules=wte,c_attn,c_proj"]),
    "pissa": ("llama", ["adapter=rslora", "adapter_args=r=4,lora_alpha=8,init_lora_weights=pissa"]),
    "eva": ("mistral", ["adapter=lora", "adapter_args=r=4,init_lora_weights=eva"]),
    "lora_one": ("gpt2", ["adapter=lora", "adapter_args=r=4,init_lora_weights=lora_one"]),
}
LABELS = [0, 2, 1, 2]


def train(galore, folder, model, settings, output, rows):
    run(galore, "train", "--model_name_or_path", folder / "models" / model, "--train_file", rows, "--packing", "false",
        "--max_length", 32, "--per_device_train_batch_size", 4, "--max_steps", 3, "--learning_rate", "1e-2", "--threads", 1,
        "--optim", "adamw_torch", "--output_dir", output, "--cache_dir", folder / "cache", "--disable_tqdm", "true", *settings)


def loaded(model, output):
    """Returns the model with the adapter. peft warns of tensors that are missing or unknown."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")  # said of every tied model
        return PeftModel.from_pretrained(model, output).eval()


def loss_of(model):
    rows = torch.tensor(ROWS)
    with torch.no_grad():
        logits = model(input_ids=rows).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()


def check_case(galore, folder, name, model, settings):
    output, merged = folder / "adapters" / name, folder / "merged" / name
    train(galore, folder, model, settings, output, folder / "rows.jsonl")
    expected = json.loads(run(galore, "eval", "--model_name_or_path", output, "--eval_file", folder / "rows.jsonl", "--packing",
                              "false", "--max_length", 32, "--threads", 1, "--json"))["eval_loss"]
    run(galore, "merge", "--model_name_or_path", folder / "models" / model, "--adapter_name_or_path", output, "--output_dir", merged)
    read = transformers.AutoModelForCausalLM.from_pretrained
    plain = loss_of(read(folder / "models" / model, dtype="float32").eval())
    assert abs(plain - expected) > 1e-3, f"{name}: training changed nothing"
    for reader, found in (("peft", loss_of(loaded(read(folder / "models" / model, dtype="float32"), output))),
                          ("merged", loss_of(read(merged, dtype="float32").eval()))):
        assert abs(found - expected) < TOLERANCE * abs(expected), f"{name}: {reader}: loss {found}, the program's {expected}"


def check_classifier(galore, folder):
    """The head is trained and saved although no key asks for it."""
    rows, output, predictions = folder / "labels.jsonl", folder / "adapters" / "classifier", folder / "predictions.jsonl"
    rows.write_text("".join(json.dumps({"input_ids": row, "label": label}) + "\n" for row, label in zip(ROWS, LABELS)))
    train(galore, folder, "llama", ["task=sequence_classification", "num_labels=3", "adapter=lora", "adapter_args=r=4"], output, rows)
    config = json.loads((output / "adapter_config.json").read_text())
    assert config["task_type"] == "SEQ_CLS" and "score" in config["modules_to_save"], config
    base = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "models" / "llama", num_labels=3, dtype="float32")
    base.config.pad_token_id = 0
    with torch.no_grad():
        found = loaded(base, output)(input_ids=torch.tensor(ROWS)).logits
    run(galore, "eval", "--model_name_or_path", output, "--eval_file", rows, "--max_length", 32, "--threads", 1,
        "--predictions_file", predictions)
    expected = torch.tensor([json.loads(line)["logits"] for line in predictions.read_text().splitlines()])
    assert (found - expected).abs().max() < TOLERANCE * expected.abs().max(), f"classifier: {found}, the program's {expected}"


def main():
    galore, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    for name, (model, settings) in CASES.items():
        check_case(galore, folder, name, model, settings)
    check_classifier(galore, folder)
    print(f"peft reads {len(CASES) + 1} adapters as the program does")


if __name__ == "__main__":
    main()
