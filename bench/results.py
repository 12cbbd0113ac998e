#!/usr/bin/env python3
"""Trains the same small model with every optimizer at three learning rates and reports the results.

    scripts/results [--steps N] [--only galore_adamw] [--report]

Runs are in .cache/results/runs/<optimizer>-<rate>/; a run with its last evaluation is not repeated.
--report only writes the report: bench/runs/<date>-results.jsonl (one raw line for each run), the
table in docs/results.md and the best rate of each optimizer in docs/results.svg. Speed is not taken
from these runs, because they may have shared the machine. --speed measures it: the four optimizers
in turn, for three rounds, into bench/runs/<date>-results-speed.jsonl.
"""

import argparse
import json
import subprocess
import time

from results_page import ROOT, evaluations, events, measure, numbers_in, speeds, svg, write_between

LOW_RANK = "rank=48,update_proj_gap=100,scale=0.25,proj_type=std"
# name -> (optim, optim_args, learning rates). The rates of the full-rank optimizers are those of
# the low-rank ones times the scale, and one step to either side.
RUNS = {
    "AdamW": ("adamw_torch", "", (0.001, 0.0025, 0.005)),
    "8-bit AdamW": ("adamw_8bit", "", (0.001, 0.0025, 0.005)),
    "GaLore": ("galore_adamw", LOW_RANK, (0.005, 0.01, 0.02)),
    "8-bit GaLore": ("galore_adamw_8bit", LOW_RANK, (0.005, 0.01, 0.02, 0.04)),
}


def train(args, folder, optim, options, rate):
    command = [args.galore, "train", "configs/results.yaml", f"optim={optim}", f"learning_rate={rate}",
               f"output_dir={folder}", f"max_steps={args.steps}", f"threads={args.threads}", "report_to=jsonl"]
    command += [f"optim_args={options}"] if options else []
    print("$", " ".join(map(str, command)), flush=True)
    start = time.time()
    done = subprocess.run(command, cwd=ROOT)
    (folder / "seconds.json").write_text(json.dumps({"seconds": time.time() - start, "exit": done.returncode}))


def summary(name, optim, rate, folder):
    steps = [e for e in events(folder) if e.get("event") == "step"]
    found = evaluations(folder)
    if not found or not steps:
        return None
    memory = next((e for e in events(folder) if e.get("event") == "memory"), {})
    last = found[-1]
    return {"name": name, "optim": optim, "learning_rate": rate, "steps": steps[-1]["step"],
            "eval_loss": last["eval_loss"], "perplexity": last.get("perplexity"),
            "eval_loss_family": last.get("eval_loss_family"),
            "peak_memory_bytes": max(e["peak_memory_bytes"] for e in steps),
            "optimizer_bytes": numbers_in(memory, ("moments", "bases")),
            "curve": [(e.get("step", 0), e["eval_loss"]) for e in found]}


def table(runs, best):
    import math

    rows = ["| optimizer | rate | loss | perplexity | as in the papers, N/(N+1) | optimizer state | peak memory | tokens/s |",
            "|---|---|---|---|---|---|---|---|"]
    speed = speeds("results", "name")
    for run in runs:
        family = f"{math.exp(run['eval_loss_family']):.2f}" if run.get("eval_loss_family") else ""
        mark = "**" if run in best else ""
        rows.append(f"| {mark}{run['name']}{mark} | {run['learning_rate']:g} | {run['eval_loss']:.4f} | "
                    f"{mark}{math.exp(run['eval_loss']):.2f}{mark} | {family} | {run['optimizer_bytes'] / 2**20:.2f} MiB | "
                    f"{run['peak_memory_bytes'] / 2**20:.0f} MiB | {speed.get(run['name'], 0):.0f} |")
    return "\n".join(rows) + "\n"


def measure_speeds(args):
    commands = {}
    for name, (optim, options, rates) in RUNS.items():
        commands[name] = [args.galore, "bench", "configs/results.yaml", f"optim={optim}", f"learning_rate={rates[1]}",
                          f"threads={args.threads}", "--bench_steps", "30", "--json"]
        commands[name] += [f"optim_args={options}"] if options else []
    measure("results", "name", 3, commands)


def report(runs):
    if not runs:
        raise SystemExit("results: no run is complete yet")
    names = dict.fromkeys(run["name"] for run in runs)
    best = [min((r for r in runs if r["name"] == name), key=lambda r: r["eval_loss"]) for name in names]
    raw = ROOT / f"bench/runs/{time.strftime('%Y-%m-%d')}-results.jsonl"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text("".join(json.dumps(run) + "\n" for run in runs))
    write_between("table", table(runs, best))
    (ROOT / "docs/results.svg").write_text(svg(best))
    print(table(runs, best))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    parser.add_argument("--out", default=str(ROOT / ".cache/results/runs"))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--threads", type=int, default=0, help="of a run; changes no loss")
    parser.add_argument("--only", help="one `optim` name")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--speed", action="store_true", help="measure speed alone")
    args = parser.parse_args()
    if args.speed:
        measure_speeds(args)
    out, runs = (ROOT / args.out).resolve(), []
    for name, (optim, options, rates) in RUNS.items():
        for rate in rates:
            folder = out / f"{optim}-{rate:g}"
            folder.mkdir(parents=True, exist_ok=True)
            complete = any(e.get("step") == args.steps for e in evaluations(folder))
            if not args.report and not args.speed and not complete and args.only in (None, optim):
                train(args, folder, optim, options, rate)
            runs.append(summary(name, optim, rate, folder))
    report([run for run in runs if run])


if __name__ == "__main__":
    main()
