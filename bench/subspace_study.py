#!/usr/bin/env python3
"""Compares the ways to find a basis by the loss they lead to: docs/subspace.md.

    bench/subspace_study.py [--jobs 2] [--size small] [--report]

Trains two LLaMAs with GaLore over AdamW, three seeds, with every way to find a basis and one thread
for each run. Runs are in .cache/study/<size>/<variant>-<rate>-<seed>/; a complete run is not
repeated. The report is bench/runs/<date>-subspace.jsonl, one line for each run, and a table on
standard output: the mean validation loss over seeds, and its difference from exact SVD's with its
standard error, paired by seed and rate.
"""

import argparse
import concurrent.futures
import json
import math
import pathlib
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/study"
SIZES = {  # 1.8 M weights on the King James Bible; 3.3 M on a dictionary and the Bible
    "small": {"config_name": CACHE / "small.json", "train_file": "demo/kjv-train.txt", "eval_file": "demo/kjv-valid.txt",
              "max_length": 128, "max_steps": 800, "warmup_steps": 80, "rank": 32, "gap": 50, "rates": (0.01, 0.02)},
    "medium": {"config_name": "configs/llama_results.json", "train_file": ".cache/results/train.txt",
               "eval_file": ".cache/results/valid.txt", "max_length": 256, "max_steps": 400, "warmup_steps": 40,
               "rank": 48, "gap": 50, "rates": (0.01,)},
}
VARIANTS = {
    "svd": "subspace=svd",
    "svd, LAPACK's signs": "subspace=svd,signs=lapack",
    "svd, transport": "subspace=svd,moment_transport=true",
    "randomized": "subspace=randomized",
    "warm": "subspace=warm",
    "warm, staggered": "subspace=warm,refresh=staggered",
    "warm, transport": "subspace=warm,moment_transport=true",
    "warm, no random columns": "subspace=warm,oversampling=0",
    "warm, not rotated": "subspace=warm,rotate=false",
    "sketch": "subspace=sketch",
    "sketch, no random columns": "subspace=sketch,oversampling=0",
    "sketch, not rotated": "subspace=sketch,rotate=false",
}
ONLY_SMALL = {"svd, LAPACK's signs", "sketch, no random columns", "sketch, not rotated"}


def folder_of(size, variant, rate, seed):
    return CACHE / size / f"{variant.replace(', ', '-').replace(' ', '-')}-{rate}-{seed}"


def last_loss(folder):
    path = folder / "metrics.jsonl"
    if not path.exists():
        return None
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = [e["eval_loss"] for e in events if e.get("event") == "eval"]
    return found[-1] if found and (folder / "done").exists() else None


def train(args, size, variant, rate, seed):
    folder, s = folder_of(size, variant, rate, seed), SIZES[size]
    if last_loss(folder) is not None:
        return
    options = f"rank={s['rank']},update_proj_gap={s['gap']},refresh=together,{VARIANTS[variant]}"
    if "refresh=staggered" in options:
        options = options.replace("refresh=together,", "")
    keys = {"optim": "galore_adamw", "optim_args": options, "learning_rate": rate, "seed": seed, "threads": 1,
            "gradient": "projected", "output_dir": folder, "tokenizer_name": ".cache/results/tokenizer",
            "packing": "true", "per_device_train_batch_size": 8, "per_device_eval_batch_size": 8,
            "lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": "min_lr_rate=0.1", "logging_steps": 50,
            "eval_strategy": "steps", "eval_steps": s["max_steps"], "save_strategy": "no", "disable_tqdm": "true",
            **{k: s[k] for k in ("config_name", "train_file", "eval_file", "max_length", "max_steps", "warmup_steps")}}
    command = [args.galore, "train"] + [f"{key}={value}" for key, value in keys.items()]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "done").touch()
    print(f"{time.strftime('%T')} {size} {variant} {rate} {seed}: {last_loss(folder):.4f}", flush=True)


def cases(sizes):
    """Returns the cases seed by seed, so that an interrupted study compares all variants."""
    for seed in (1, 2, 3):
        for size in sizes:
            for rate in SIZES[size]["rates"]:
                for variant in VARIANTS:
                    if size == "small" or variant not in ONLY_SMALL:
                        yield size, variant, rate, seed


def report(sizes):
    lines = [{"size": size, "variant": variant, "options": VARIANTS[variant], "learning_rate": rate, "seed": seed,
              "eval_loss": last_loss(folder_of(size, variant, rate, seed))} for size, variant, rate, seed in cases(sizes)]
    lines = [line for line in lines if line["eval_loss"] is not None]
    path = ROOT / f"bench/runs/{time.strftime('%Y-%m-%d')}-subspace.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    exact = {(x["size"], x["learning_rate"], x["seed"]): x["eval_loss"] for x in lines if x["variant"] == "svd"}
    print("| size | rate | basis | loss | minus svd's | runs |\n|---|---|---|---|---|---|")
    for size in sizes:
        for rate in SIZES[size]["rates"]:
            for variant in VARIANTS:
                runs = [x for x in lines if (x["size"], x["learning_rate"], x["variant"]) == (size, rate, variant)]
                pairs = [x["eval_loss"] - exact[(size, rate, x["seed"])] for x in runs if (size, rate, x["seed"]) in exact]
                if len(pairs) < 2:
                    continue
                error = statistics.stdev(pairs) / math.sqrt(len(pairs))
                print(f"| {size} | {rate} | {variant} | {statistics.mean(x['eval_loss'] for x in runs):.4f} | "
                      f"{statistics.mean(pairs):+.4f} ± {error:.4f} | {len(runs)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    parser.add_argument("--size", choices=sorted(SIZES), action="append")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    sizes = args.size or list(SIZES)
    if not args.report:
        CACHE.mkdir(parents=True, exist_ok=True)
        config = json.loads((ROOT / "configs/llama_results.json").read_text())
        config.update(hidden_size=128, intermediate_size=344, num_attention_heads=4, num_key_value_heads=4)
        (CACHE / "small.json").write_text(json.dumps(config))
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for done in [pool.submit(train, args, *case) for case in cases(sizes)]:
                done.result()
    report(sizes)


if __name__ == "__main__":
    main()
