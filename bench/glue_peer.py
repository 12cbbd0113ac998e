#!/usr/bin/env python3
"""Fine-tunes an encoder on SST-2 with GaLore: by transformers and galore_torch, and by galore.

    .cache/peers/bin/python bench/glue_peer.py --model DIR --data DIR [--rank 4] [--rate 1e-4] [--seeds 42,43,44]

scripts/bench-peers makes that environment. Both programs read the same directory with the
classifier drawn from the seed, and the same rows in the order of the file, with the same batch,
rate, schedule, clipping, decay and projected matrices. Only dropout differs. Prints one JSON object
a line: score on the development rows, and training examples per processor second (user and system)
from the third update on, so without loading and without the first bases.
"""

import argparse
import json
import pathlib
import shutil
import sys
import time

from results_page import ROOT, events, run_measured

BATCH, SKIPPED = 32, 2  # rows in an update; updates that are not timed
FILES = {"train": "train.tsv", "dev": "dev.tsv"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    parser.add_argument("--model", type=pathlib.Path, required=True, help="directory of the pretrained encoder")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with sst2/")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / ".cache/glue-peer")
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--scale", type=float, default=4)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--updates", type=int, default=32)
    parser.add_argument("--seeds", default="42,43,44")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def rows_of(args, name):
    lines = (args.data / "sst2" / FILES[name]).read_text(encoding="utf-8").splitlines()
    return [(text, int(label)) for text, label in (line.split("\t") for line in lines)]


def start_of(args, seed):
    """Writes the encoder with a new classifier and returns its directory."""
    import torch
    from transformers import AutoModelForSequenceClassification

    folder = args.out / f"start-{seed}"
    torch.manual_seed(seed)
    AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2).save_pretrained(folder)
    for path in args.model.iterdir():
        if path.is_file() and not (folder / path.name).exists():
            shutil.copy(path, folder)
    return folder


def optimizer_of(args, model):
    """GaLore for all matrices of the layers, not of the pooler; decay for all but norms and
    biases."""
    import torch
    from galore_torch import GaLoreAdamW

    linear = [m.weight for m in model.bert.encoder.modules() if isinstance(m, torch.nn.Linear)]
    known = {id(p) for p in linear}
    rest = [(n, p) for n, p in model.named_parameters() if id(p) not in known]
    plain = [p for n, p in rest if "LayerNorm" in n or n.endswith("bias")]
    decayed = [p for n, p in rest if not ("LayerNorm" in n or n.endswith("bias"))]
    galore = {"params": linear, "rank": args.rank, "update_proj_gap": 100, "scale": args.scale, "proj_type": "std"}
    return GaLoreAdamW([{"params": decayed}, {"params": plain, "weight_decay": 0.0}, galore], lr=args.rate,
                       weight_decay=0.01, no_deprecation_warning=True)


def score(model, encode, rows):
    import torch

    right = 0
    model.eval()
    with torch.no_grad():
        for begin in range(0, len(rows), BATCH):
            part = rows[begin:begin + BATCH]
            found = model(**encode([text for text, _ in part])).logits.argmax(-1).tolist()
            right += sum(a == b for a, (_, b) in zip(found, part))
    return right / len(rows)


def theirs(args, start, seed):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

    torch.set_num_threads(args.threads)
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(start)
    encode = lambda texts: tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
    model = AutoModelForSequenceClassification.from_pretrained(start).train()
    optimizer = optimizer_of(args, model)
    schedule = get_linear_schedule_with_warmup(optimizer, -(-args.updates // 10), args.updates)
    rows, begin = rows_of(args, "train"), 0.0
    for update in range(args.updates):
        if update == SKIPPED:
            begin = time.process_time()
        part = rows[update * BATCH:(update + 1) * BATCH]
        model(**encode([text for text, _ in part]), labels=torch.tensor([label for _, label in part])).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    used = time.process_time() - begin
    return score(model, encode, rows_of(args, "dev")), (args.updates - SKIPPED) * BATCH / used


def ours_command(args, start, seed, folder, *more):
    data = args.data / "sst2"
    return [str(part) for part in (
        args.galore, "train", f"model_name_or_path={start}", "task_name=sst2", f"train_file={data / FILES['train']}",
        f"output_dir={folder}", "overwrite_output_dir=true", "max_length=128", f"per_device_train_batch_size={BATCH}",
        f"max_samples={args.updates * BATCH}", f"learning_rate={args.rate}", f"seed={seed}", "lr_scheduler_type=linear",
        "warmup_steps=0.1", "weight_decay=0.01", "max_grad_norm=1", "train_sampling_strategy=sequential",
        "optim=galore_adamw", f"optim_args=rank={args.rank},update_proj_gap=100,scale={args.scale:g}",
        "optim_target_modules=all-linear", f"threads={args.threads}", "disable_tqdm=true", "save_strategy=no", *more)]


def train(command):
    """Returns the processor time of a run of galore."""
    code, used = run_measured(command, stdout=sys.stderr)
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return used


def ours(args, start, seed):
    folder, used = args.out / "run", []
    whole = [f"max_steps={args.updates}"]
    for more in ([f"max_steps={SKIPPED}"], whole):
        used.append(train(ours_command(args, start, seed, folder, *more)))
    scored = [*whole, f"eval_file={args.data / 'sst2' / FILES['dev']}", "eval_strategy=epoch"]
    train(ours_command(args, start, seed, folder, *scored))
    found = [event["eval_accuracy"] for event in events(folder) if "eval_accuracy" in event]
    return found[-1], (args.updates - SKIPPED) * BATCH / (used[1] - used[0])


def main():
    args = arguments()
    for seed in (int(seed) for seed in args.seeds.split(",")):
        start = start_of(args, seed)
        for name, program in (("transformers, galore_torch", theirs), ("galore", ours)):
            accuracy, speed = program(args, start, seed)
            print(json.dumps({"program": name, "seed": seed, "rank": args.rank, "rate": args.rate,
                              "accuracy": round(accuracy, 4), "examples_per_processor_second": round(speed, 2)}), flush=True)


if __name__ == "__main__":
    main()
