"""Freezes six updates of a plain PyTorch loop over transformers' models, and checks galore against them.

Usage: python make_training_vectors.py TESTS_PARITY_DIRECTORY OUTPUT_DIRECTORY [--galore PROGRAM] [CASE...]

Made with torch 2.11.0, transformers 4.57.6 and peft 0.21.2, in fp32 on the CPU, with eager attention, one
thread and without dropout, from the checkpoints in data/, encoders/ and adapters/. With --galore the program
trains each case too, and the script fails if a tensor is further from the loop's than 5e-4 of the way that
the loop has moved it.

An update is two micro-batches of three rows in the rows' order. The gradient is that of the sum of all losses
divided by the number of labels that count, clipped to a norm of 1. The rate rises over two updates and falls
linearly; biases and norms do not decay. AdamW has an epsilon of 1e-4: with a small epsilon it would turn the
rounding of gradients that are zero in exact arithmetic, such as a key bias's, into whole steps.

Each case becomes a folder: settings.txt (options of galore train), rows.jsonl, and expected.safetensors with
every trained tensor after the six updates.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, get_scheduler

UPDATES, ROWS, MICRO_BATCHES = 6, 3, 2
DROPOUTS = ["resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout", "hidden_dropout_prob",
            "attention_probs_dropout_prob", "classifier_dropout"]
ADAMW = dict(optim="adamw_torch", learning_rate=0.01, adam_epsilon=1e-4)
SGD = dict(optim="sgd", learning_rate=0.3, optim_args="momentum=0.9")
CASES = {
    "llama": ("data/plain", ADAMW),
    "llama_tied": ("data/grouped_tied", ADAMW),
    "llama_tied_sgd": ("data/grouped_tied", SGD),
    "qwen3": ("data/qwen3", ADAMW),
    "mistral": ("data/mistral", ADAMW),
    "gpt2": ("data/gpt2", ADAMW),
    "bert": ("encoders/bert_classifier", ADAMW),
    "bert_sgd": ("encoders/bert_classifier", SGD),
    "roberta": ("encoders/roberta_classifier", ADAMW),
    "lora": ("adapters/lora_llama", ADAMW),
    "dora": ("adapters/dora_llama", ADAMW),
}


def base_of(root, source):
    """The model's directory and that of the adapter, or None."""
    if not source.startswith("adapters/"):
        return root / source, None
    config = json.loads((root / source / "adapter_config.json").read_text())
    return root / "data" / config["base_model_name_or_path"], root / source


def without_dropout(source, folder):
    """Copies a model with all dropouts set to 0."""
    folder.mkdir(parents=True)
    for file in source.iterdir():
        shutil.copy(file, folder)
    config = json.loads((folder / "config.json").read_text())
    config.update({key: 0.0 for key in DROPOUTS if key in config})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def load(folder, adapter):
    classifies = AutoConfig.from_pretrained(folder).architectures[0].endswith("ForSequenceClassification")
    auto = AutoModelForSequenceClassification if classifies else AutoModelForCausalLM
    model = auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    if adapter:
        from peft import PeftModel
        model = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    return model.train(), classifies


def make_rows(classifies, config, generator):
    rows = []
    for _ in range(UPDATES * ROWS * MICRO_BATCHES):
        length = int(torch.randint(4, 15, (1,), generator=generator))
        ids = torch.randint(2, config.vocab_size, (length,), generator=generator).tolist()
        if not classifies:
            labels = [-100 if torch.rand(1, generator=generator) < 0.2 else id for id in ids]
            rows.append({"input_ids": ids, "labels": labels})
            continue
        rows.append({"input_ids": ids, "label": int(torch.randint(0, config.num_labels, (1,), generator=generator))})
        if getattr(config, "type_vocab_size", 0) > 1:
            rows[-1]["token_type_ids"] = [int(2 * t >= length) for t in range(length)]
    return rows


def loss_sum(model, row, classifies):
    """The sum of a row's losses and their number. Rows are computed one by one, so nothing is padded."""
    ids = torch.tensor([row["input_ids"]])
    if classifies:
        types = {"token_type_ids": torch.tensor([row["token_type_ids"]])} if "token_type_ids" in row else {}
        logits = model(input_ids=ids, **types).logits
        return torch.nn.functional.cross_entropy(logits, torch.tensor([row["label"]]), reduction="sum"), 1
    labels = torch.tensor(row["labels"])[1:]
    logits = model(input_ids=ids).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum"), int((labels != -100).sum())


def make_optimizer(model, settings):
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    groups = [{"params": [w for _, w in trained if w.dim() > 1], "weight_decay": 0.1},
              {"params": [w for _, w in trained if w.dim() == 1], "weight_decay": 0.0}]
    rate = settings["learning_rate"]
    if settings["optim"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=rate, eps=settings["adam_epsilon"])


def train(model, classifies, rows, settings):
    optimizer = make_optimizer(model, settings)
    schedule = get_scheduler("linear", optimizer, num_warmup_steps=2, num_training_steps=UPDATES)
    count = ROWS * MICRO_BATCHES
    for update in range(UPDATES):
        optimizer.zero_grad()
        losses = [loss_sum(model, row, classifies) for row in rows[update * count:(update + 1) * count]]
        (sum(loss for loss, _ in losses) / sum(number for _, number in losses)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def file_names(model):
    """The trained tensors by their names in files."""
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            short = name.replace(".modules_to_save.default", "").replace(".default", "")
            yield short.removesuffix(".weight") if "magnitude" in short else short, weight.detach().clone()


def options(settings, length):
    fixed = dict(max_steps=UPDATES, lr_scheduler_type="linear", warmup_steps=2, weight_decay=0.1, max_grad_norm=1,
                 per_device_train_batch_size=ROWS, gradient_accumulation_steps=MICRO_BATCHES, max_length=length,
                 packing="false", train_sampling_strategy="sequential", logging_steps=1)
    return [f"{key}={value}" for key, value in {**settings, **fixed}.items()]


def compare(galore, base, adapter, folder, before, after):
    """Trains by the program and returns the largest distance of a tensor, as a share of its way."""
    with tempfile.TemporaryDirectory() as out:
        command = [galore, "train", "--model_name_or_path", base, "--output_dir", out + "/run",
                   "--train_file", folder / "rows.jsonl", "--cache_dir", out + "/cache"]
        command += ["--" + line for line in (folder / "settings.txt").read_text().split()]
        if adapter:
            command += ["--adapter_name_or_path", adapter]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        saved = load_file(f"{out}/run/" + ("adapter_model" if adapter else "model") + ".safetensors")
    # The gradient of keys' biases is 0 but for rounding, of which both sides have their own.
    return max(((saved[name] - weight).norm() / (weight - before[name]).norm()).item()
               for name, weight in after.items() if (weight - before[name]).norm() > 1e-6)


def run_case(root, folder, name, source, settings, galore, seed):
    with tempfile.TemporaryDirectory() as scratch:
        given, adapter = base_of(root, source)
        base = without_dropout(given, pathlib.Path(scratch) / "base")
        model, classifies = load(base, adapter)
        rows = make_rows(classifies, model.config, torch.Generator().manual_seed(seed))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "settings.txt").write_text("\n".join(options(settings, 16)) + "\n")
        before = dict(file_names(model))
        train(model, classifies, rows, settings)
        after = dict(file_names(model))
        save_file({key: value.contiguous() for key, value in after.items()}, folder / "expected.safetensors")
        return compare(galore, base, adapter, folder, before, after) if galore else 0


def main():
    torch.set_num_threads(1)
    arguments = sys.argv[1:]
    galore = None
    if "--galore" in arguments:
        at = arguments.index("--galore")
        galore = arguments[at + 1]
        del arguments[at:at + 2]
    root, output, wanted = pathlib.Path(arguments[0]), pathlib.Path(arguments[1]), arguments[2:]
    failed = False
    for seed, (name, (source, settings)) in enumerate(CASES.items()):
        if wanted and name not in wanted:
            continue
        distance = run_case(root, output / name, name, source, settings, galore, seed)
        failed |= not distance <= 5e-4
        print(f"{name}: {distance:.1e}" if galore else name)
    sys.exit(failed)


if __name__ == "__main__":
    main()
