#!/usr/bin/env python3
"""Compares low-rank and other parameterizations on one small LLaMA at equal rank and tokens.

    scripts/results --parameterizations [--stage grid|seeds|report] [--only NAME ...] [--jobs 2]

grid   trains every method at RATES with seed 1, then at rates on the better side until the best
       rate lies between worse ones
seeds  trains every method at its best rate with two more seeds
report writes bench/runs/<date>-parameterizations.jsonl (one raw line for each run) and the table of
       docs/results.md

A run takes about six minutes on one core of two that are both busy, so the grid takes about an hour
and a half with two jobs and the seeds an hour. Runs are in
.cache/parameterizations/<method>-<rate>-<seed>/. A run that has ended is not repeated, so an
interrupted series continues. --steps makes shorter runs, with a folder of their own and one
evaluation at the end; their report goes to the page with --publish. --most_rates 2 trains at RATES
alone. A record has the processor time (user and system) of its run, with its evaluations, because
wall time depends on what else the machine does.
"""

import argparse
import concurrent.futures
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import time

from results_page import ROOT, evaluations, events, numbers_in, run_measured, write_between

RATES = (0.003, 0.01)
MOST_RATES = 6
SEEDS = (1, 2, 3)
RANK = 32  # of 128
TOKENS = 8 * 256  # of an update
LOW_RANK = f"rank={RANK},update_proj_gap=100"
CYCLES = 5  # the first cycle of ReLoRA is its warm start
# POET-X has as many trained elements as the factors have with blocks of 64. Rates of the matrices
# R and P and of all other weights are equal.
RUNS = {
    "AdamW": [],
    "GaLore": ["optim=galore_adamw", f"optim_args={LOW_RANK}"],
    "Fira": ["optim=fira_adamw", f"optim_args={LOW_RANK}"],
    # LoRA as the papers train it from scratch: embedding, norms and head are trained, too, and
    # nothing is merged.
    "LoRA": ["adapter=relora", f"adapter_args=r={RANK},lora_alpha={RANK},lora_dropout=0,relora_steps=1000000"],
    "ReLoRA": ["adapter=relora", f"adapter_args=r={RANK},lora_alpha={RANK},lora_dropout=0,relora_steps={{cycle}}",
               "lr_scheduler_type=jagged_cosine",
               "lr_scheduler_kwargs=cycle_length={cycle},restart_warmup_steps={short_warmup}"],
    "low rank": ["adapter=low_rank", f"adapter_args=r={RANK}"],
    "CoLA": ["adapter=cola", f"adapter_args=r={RANK}"],
    "SLTrain": ["adapter=sltrain", f"adapter_args=r={RANK},alpha=16,density=0.03"],
    "InRank": ["adapter=inrank", f"adapter_args=r=2,buffer=8,max_rank={RANK},growth_steps={{warmup}}"],
    "POET-X": ["adapter=poet_x", "adapter_args=block_size=64,init=normalized"],
}


class Run:
    """A run. Its record, a line of the raw file, is written when it has ended."""

    def __init__(self, args, name, rate, seed):
        self.args, self.name, self.rate, self.seed = args, name, rate, seed
        self.folder = args.out / f"{name.replace(' ', '_')}-{rate:g}-{seed}"

    def complete(self):
        return (self.folder / "record.json").exists()

    def record(self):
        return json.loads((self.folder / "record.json").read_text(encoding="utf-8"))

    def loss(self):
        """Returns the final loss, which is infinite for a run that diverged or failed."""
        loss = self.record()["eval_loss"] if self.complete() else None
        return math.inf if loss is None else loss

    def settings(self):
        steps, cycle = self.args.steps, max(1, self.args.steps // CYCLES)
        numbers = {"cycle": cycle, "warmup": max(1, steps // 10), "short_warmup": max(1, cycle // 10)}
        own = [setting.format(**numbers) for setting in RUNS[self.name]]
        return [f"max_steps={steps}", f"eval_steps={steps if self.args.short else cycle}", f"warmup_steps={numbers['warmup']}", *own]

    def commands(self):
        """Returns the commands of the run and their folders, in their order."""
        common = [self.args.galore, "train", "configs/parameterizations.yaml", *self.settings(), f"seed={self.seed}",
                  "threads=1", "report_to=jsonl"]
        last = [*common, f"learning_rate={self.rate}", f"output_dir={self.folder}"]
        if self.name != "ReLoRA":
            return [last]
        # ReLoRA begins with full-rank training at half its rate. Its own part sees other rows.
        cycle, warm = max(1, self.args.steps // CYCLES), self.folder / "warm"
        plain = [s for s in common if not s.startswith(("adapter", "lr_scheduler"))]
        first = [*plain, f"learning_rate={self.rate / 2}", f"output_dir={warm}", f"max_steps={cycle}",
                 "lr_scheduler_type=constant_with_warmup", "lr_scheduler_kwargs=", f"warmup_steps={max(1, cycle // 10)}"]
        rest = cycle * (CYCLES - 1)
        return [first, [*last, "config_name=", f"model_name_or_path={warm}", f"max_steps={rest}",
                        f"warmup_steps={max(1, cycle // 10)}", f"data_seed={self.seed + 1000}"]]

    def train(self):
        if self.complete():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        code, used = 0, 0.0
        with open(self.folder / "output.txt", "w", encoding="utf-8") as output:
            for command in self.commands():
                if code == 0:
                    code, seconds = run_measured(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
                    used += seconds
        if code in (0, 1):  # not after a signal, nor after wrong usage
            (self.folder / "record.json").write_text(json.dumps(self.summary(code, used)), encoding="utf-8")
        print(f"{self.folder.name}: {self.loss():.4f} (exit {code})", flush=True)

    def summary(self, code, used):
        memory = next((e for e in events(self.folder) if e.get("event") == "memory"), {})
        found = evaluations(self.folder)
        return {"name": self.name, "learning_rate": self.rate, "seed": self.seed, "exit": code,
                "steps": self.args.steps, "processor_seconds": round(used, 1), "eval_loss": found[-1]["eval_loss"] if found and code == 0 else None,
                "parameters": stored_elements(self.folder / "model.safetensors"),
                "weights_bytes": numbers_in(memory, ("weights",)),
                "state_bytes": numbers_in(memory, ("moments", "bases")),
                "curve": [(e["step"], e["eval_loss"]) for e in found]}


def stored_elements(path):
    """Returns the number of elements in a safetensors file, without a layer's own counters."""
    if not path.exists():
        return None
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__", None)
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items()
               if not name.endswith(("rank_state", "poet_round")))


def next_rate(runs, most):
    """Returns the rate to try next, or None if the best one lies between worse ones."""
    rates = sorted(run.rate for run in runs)
    best = min(runs, key=lambda run: run.loss()).rate
    if len(rates) >= most or (rates[0] < best < rates[-1]):
        return None
    ladder = [m * 10.0**e for e in range(-5, 1) for m in (1, 3)]
    near = [r for r in ladder if (r < best * 0.99 if best == rates[0] else r > best * 1.01)]
    return (max(near) if best == rates[0] else min(near)) if near else None


def search(args, name):
    runs = [Run(args, name, rate, SEEDS[0]) for rate in RATES]
    for run in runs:
        run.train()
    while (rate := next_rate(runs, args.most_rates)) is not None:
        runs.append(Run(args, name, rate, SEEDS[0]))
        runs[-1].train()


def known_runs(args, name):
    prefix = name.replace(" ", "_") + "-"
    for path in sorted(args.out.glob(f"{prefix}*/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        yield Run(args, name, record["learning_rate"], record["seed"])


def best_run(args, name):
    first = [run for run in known_runs(args, name) if run.seed == SEEDS[0]]
    return min(first, key=lambda run: run.loss()) if first else None


def losses_at(run):
    """Returns the losses of all seeds at the rate of a run."""
    return [other.loss() for other in known_runs(run.args, run.name) if other.rate == run.rate]


def more_seeds(args, name):
    best = best_run(args, name)
    for seed in SEEDS[1:]:
        if best:
            Run(args, name, best.rate, seed).train()


def report(args):
    records = [run.record() for name in args.only for run in known_runs(args, name)]
    if not records:
        raise SystemExit("parameterizations: no run is complete yet")
    is_published = args.publish or not args.short
    raw = ROOT / f"bench/runs/{time.strftime('%Y-%m-%d')}-parameterizations.jsonl" if is_published else args.out / "records.jsonl"
    raw.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    rows = ["| method | rate | loss | perplexity | seeds: mean loss, deviation | parameters | weights | state | tokens a processor second |",
            "|---|---|---|---|---|---|---|---|---|"]
    found = [best for name in args.only if (best := best_run(args, name))]
    for best in sorted(found, key=lambda run: statistics.mean(losses_at(run))):
        record, losses = best.record(), losses_at(best)
        spread = f"{statistics.mean(losses):.4f}, {statistics.stdev(losses):.4f}" if len(losses) > 1 else ""
        seconds = statistics.mean(run.record()["processor_seconds"] for run in known_runs(args, best.name))
        perplexity = math.exp(best.loss()) if best.loss() < math.inf else math.inf
        rows.append(f"| {best.name} | {best.rate:g} | {best.loss():.4f} | {perplexity:.2f} | {spread} | "
                    f"{(record['parameters'] or 0) / 1e6:.2f} M | {record['weights_bytes'] / 2**20:.2f} MiB | "
                    f"{record['state_bytes'] / 2**20:.2f} MiB | {args.steps * TOKENS / seconds:.0f} |")
    text = "\n".join(rows) + "\n"
    print(text)
    if is_published:
        write_between("parameterizations", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    parser.add_argument("--stage", choices=("grid", "seeds", "report"), default="grid")
    parser.add_argument("--only", nargs="*", choices=tuple(RUNS), default=list(RUNS))
    parser.add_argument("--steps", type=int, default=1465)
    parser.add_argument("--most_rates", type=int, default=MOST_RATES, help="of one method")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--publish", action="store_true", help="write the report of shorter runs into docs/results.md")
    args = parser.parse_args()
    args.galore = str(pathlib.Path(args.galore).resolve())
    args.short = args.steps != 1465
    args.out = ROOT / ".cache" / ("parameterizations" + (f"-{args.steps}" if args.short else ""))
    args.out.mkdir(parents=True, exist_ok=True)
    if args.stage in ("grid", "seeds"):
        task = search if args.stage == "grid" else more_seeds
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(lambda name: task(args, name), args.only))
    return report(args) if args.stage == "report" or args.short else None


if __name__ == "__main__":
    main()
