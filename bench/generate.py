#!/usr/bin/env python3
"""Compares the speed of greedy generation of galore and transformers on the same CPU.

Usage: generate.py GALORE MODEL_DIRECTORY [--new_tokens N] [--rounds N] [--threads N]

Needs torch and transformers 4.57. Prints one JSON line for each round and a last one with the
medians. The time to load the model is not counted: for galore, the time of a run with one new token
is subtracted.
"""
import argparse
import json
import statistics
import subprocess
import time

import torch
import transformers

PROMPT = list(range(5, 37))


def galore_run(arguments, new_tokens):
    command = [arguments.galore, "generate", "--model_name_or_path", arguments.model, "--prompt_ids",
               ",".join(map(str, PROMPT)), "--max_new_tokens", str(new_tokens), "--do_sample", "false", "--json",
               "--threads", str(arguments.threads)]
    start = time.perf_counter()
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - start, json.loads(text)["output_ids"]


def galore_round(arguments):
    short, _ = galore_run(arguments, 1)
    long, ids = galore_run(arguments, arguments.new_tokens)
    return (len(ids) - 1) / (long - short), ids


def transformers_round(model, new_tokens):
    prompt = torch.tensor([PROMPT])

    def timed(count):
        start = time.perf_counter()
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, do_sample=False,
                             pad_token_id=0)
        return time.perf_counter() - start, out[0, len(PROMPT):].tolist()

    short, _ = timed(1)
    long, ids = timed(new_tokens)
    return (len(ids) - 1) / (long - short), ids


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("galore")
    parser.add_argument("model")
    parser.add_argument("--new_tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        speed, ids = galore_round(arguments)
        other, other_ids = transformers_round(model, arguments.new_tokens)
        ours.append(speed)
        theirs.append(other)
        print(json.dumps({"galore": round(speed, 1), "transformers": round(other, 1), "equal": ids == other_ids}))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(json.dumps({"galore": round(statistics.median(ours), 1),
                      "transformers": round(statistics.median(theirs), 1), "ratio": round(ratio, 2)}))


if __name__ == "__main__":
    main()
