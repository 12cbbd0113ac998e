#!/usr/bin/env python3
"""Compares the optimizers on one small LLaMA and English text, each at its best learning rate.

    scripts/results --comparison [--stage grid|seeds|large|speed|report] [--only NAME ...] [--jobs 2]

grid   trains every optimizer at RATES with seed 1, then adds rates on the better side until the
       best rate lies between worse ones; a run that an evaluation finds HOPELESS behind the
       optimizer's best run is stopped
seeds  trains the eight best presets, AdamW, AdamW with two rates, GaLore and Fira with two more
       seeds, at their best rates
speed  measures each optimizer alone on the machine, --rounds times, into
       bench/runs/<date>-comparison-speed.jsonl
large  trains the five best presets, AdamW and AdamW with two rates once with
       configs/llama_comparison_10m.json, at the best rate and at the next lower one, because larger
       models need lower rates
report writes bench/runs/<date>-comparison.jsonl (one raw line for each run), the tables of
       docs/results.md and docs/comparison.svg

Runs are in .cache/comparison/<optimizer>-<rate>-<seed>[-large]/. A run that has ended there, or
that the last raw file contains, is not repeated. Speed is not taken from these runs, because they
share the machine.
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

from results_page import ROOT, evaluations, events, measure, numbers_in, speeds, svg, write_between

RATES = (0.003, 0.01)
MOST_STEPS = 5  # number of rates beyond RATES
# (step, loss behind the best run of the same optimizer at this step). Of the first 13 optimizers,
# which were trained to the end at every rate, no run caught up more than 0.15, 0.17 and 0.10 after
# these steps.
HOPELESS = ((293, 0.4), (586, 0.25), (879, 0.17))
LOW_RANK = "rank=32,update_proj_gap=100"
# optim -> optim_args. Every other option has its published default.
RUNS = {
    "adamw_torch": "", "adamw_8bit": "", "adafactor": "", "sgd": "momentum=0.9", "adam_mini": "",
    "galore_adamw": LOW_RANK, "galore_adamw_8bit": LOW_RANK, "galore_adafactor": LOW_RANK,
    "q_galore_adamw_8bit": LOW_RANK, "golore_adamw": LOW_RANK, "adarankgrad_adamw": LOW_RANK,
    "galore_spam_adamw": LOW_RANK, "osd_adamw": LOW_RANK,
    "fira_adamw": LOW_RANK, "fira_adamw_8bit": LOW_RANK, "subtrack_adamw": LOW_RANK, "frugal_adamw": LOW_RANK,
    "ldadam_adamw": "rank=32", "sumo": LOW_RANK, "mofasgd": "rank=32",
    "apollo_adamw": LOW_RANK, "apollo_mini": "update_proj_gap=100", "q_apollo_mini": "update_proj_gap=100",
    "spam_adamw": "", "stable_spam_adamw": "",
    "foam_adamw": "", "gwt_adamw": "", "racs": "", "alice": LOW_RANK, "scale": "", "muon": "", "swan": "", "sinkgd": "",
    "badam": "", "adalomo": "", "flora": LOW_RANK, "coap_adamw": LOW_RANK, "natural_galore_adamw": LOW_RANK,
    "lora_pre": "rank=32",
}


def two_rates(optim, share=0.25):
    """Trains projected weights at a share of the rate of embedding, head and norms."""
    patterns = (f"pattern={part},learning_rate_factor={share:g}" for part in ("self_attn", "mlp"))
    return optim, RUNS[optim], ["optim_overrides=" + ";".join(patterns)]


# Runs with other names: (optim, optim_args, further arguments). Methods without their own scale run
# with GaLore's two rates; SUMO's direction has the length sqrt(max(m, n)). Fira's ablation has an
# unscaled residual, one factor for a matrix, and no limiter.
VARIANTS = {
    "adamw_two_rates": two_rates("adamw_torch"), "adafactor_two_rates": two_rates("adafactor"),
    "adam_mini_two_rates": two_rates("adam_mini"), "sinkgd_two_rates": two_rates("sinkgd"),
    "scale_two_rates": two_rates("scale"), "sumo_two_rates": two_rates("sumo", 0.1),
    "fira_unscaled": ("fira_adamw", LOW_RANK + ",scaling=none", []),
    "fira_one_factor": ("fira_adamw", LOW_RANK + ",scaling=matrix", []),
    "fira_unlimited": ("fira_adamw", LOW_RANK + ",limiter=0", []),
}
# All moments are in 8 bits, those of embedding and head too.
VARIANTS |= {f"{name}_8bit": (f"method={name},storage=blockwise_8bit", RUNS[name], []) for name in ("muon", "gwt_adamw", "alice")}
RUNS |= {name: optim_args for name, (_, optim_args, _) in VARIANTS.items()}
# Fira without single parts, and the published perplexity of LLaMA-60M (ablation in arXiv
# 2410.01623).
ABLATION = {"fira_unscaled": 37.06, "fira_unlimited": 32.22, "fira_one_factor": 31.52, "fira_adamw": 31.06}
BASELINES = ("adamw_torch", "adamw_two_rates")
ALWAYS_SEEDED = (*BASELINES, "galore_adamw", "fira_adamw")


def folder_name(optim, rate, seed, large):
    return f"{optim}-{rate}-{seed}{'-large' if large else ''}"


class Run:
    """A run. Its record, a line of the raw file, is written when it has ended."""

    def __init__(self, args, optim, rate, seed, large=False):
        self.args, self.optim, self.rate, self.seed, self.large = args, optim, rate, seed, large
        self.folder = args.out / folder_name(optim, f"{rate:g}", seed, large)

    def complete(self):
        return (self.folder / "record.json").exists()

    def record(self):
        return json.loads((self.folder / "record.json").read_text(encoding="utf-8"))

    def keep(self, record):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "record.json").write_text(json.dumps(record), encoding="utf-8")

    def loss(self):
        """Returns the final loss, which is infinite for a run that diverged or failed."""
        loss = self.record()["eval_loss"] if self.complete() else None
        return math.inf if loss is None else loss

    def settings(self):
        optim, _, more = VARIANTS.get(self.optim, (self.optim, "", []))
        found = ["configs/comparison.yaml", f"optim={optim}", f"learning_rate={self.rate}", *more]
        found += [f"optim_args={RUNS[self.optim]}"] if RUNS[self.optim] else []
        return found + (["config_name=configs/llama_comparison_10m.json"] if self.large else [])

    def command(self):
        return [self.args.galore, "train", *self.settings(), f"seed={self.seed}",
                f"output_dir={self.folder.relative_to(ROOT)}", "threads=1", "report_to=jsonl"]

    def train(self, rival=None):
        """Trains to the end, or until the run is hopelessly behind the curve of `rival`."""
        if self.complete():
            return
        command, stopped = self.command(), False
        rival_curve = rival.record()["curve"] if rival else []
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        with open(self.folder / "output.txt", "w", encoding="utf-8") as output, \
                subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT) as process:
            while process.poll() is None and not stopped:
                time.sleep(1)
                stopped = hopeless(self.curve(), rival_curve)
            if stopped:
                process.kill()
        if stopped or process.returncode in (0, 1):  # not after another signal, nor after wrong usage
            self.keep(self.summary(command[1:], "stopped" if stopped else process.returncode))
        print(f"{self.folder.name}: {'stopped' if stopped else format(self.loss(), '.4f')}", flush=True)

    def curve(self):
        return [(e.get("step", 0), e["eval_loss"]) for e in evaluations(self.folder)]

    def summary(self, command, status):
        found, curve = events(self.folder), self.curve()
        last = curve[-1][1] if curve and status == 0 else None
        memory = next((e for e in found if e.get("event") == "memory"), {})
        return {"optim": self.optim, "optim_args": RUNS[self.optim], "learning_rate": self.rate, "seed": self.seed,
                "large": self.large, "eval_loss": last if isinstance(last, float) and math.isfinite(last) else None,
                "optimizer_bytes": numbers_in(memory, ("moments", "bases")),
                "peak_memory_bytes": max((e["peak_memory_bytes"] for e in found if e.get("event") == "step"), default=0),
                "curve": curve, "command": command, "exit": status}


def hopeless(curve, rival):
    ours, theirs = dict(curve), dict(rival)
    return any(None not in (ours.get(step), theirs.get(step)) and ours[step] > theirs[step] + margin
               for step, margin in HOPELESS)


def at_once(args, work, items):
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(work, items))


def grid_runs(args, optim, large=False):
    """Returns the complete runs of an optimizer with seed 1."""
    records = args.out.glob(folder_name(optim, "*", 1, large) + "/record.json")
    rates = sorted(json.loads(path.read_text(encoding="utf-8"))["learning_rate"] for path in records)
    return [Run(args, optim, rate, 1, large) for rate in rates]


def best(args, optim, large=False):
    return min(grid_runs(args, optim, large), key=Run.loss, default=None)


def step_from(rate, up):
    """Returns the next rate in 1, 3, 10, 30, ..."""
    is_one = f"{rate:e}"[0] == "1"
    factor = (3 if is_one else 10 / 3) if up else 1 / (10 / 3 if is_one else 3)
    return float(f"{rate * factor:.1g}")


def further(args, optim):
    """Returns a rate beyond the end of the grid if the best run is there, or a lower one if all
    runs diverged.
    """
    runs = grid_runs(args, optim)
    if len(runs) < 2:
        return None
    found = min(runs, key=Run.loss)
    if found.rate not in (runs[0].rate, runs[-1].rate):
        return None
    return step_from(found.rate, up=found.rate == runs[-1].rate)


def search_rate(args, optim):
    for rate in RATES:
        Run(args, optim, rate, 1).train(best(args, optim))
    for _ in range(MOST_STEPS):
        if (rate := further(args, optim)) is None:
            return
        Run(args, optim, rate, 1).train(best(args, optim))


def ranked(args):
    found = [run for optim in RUNS if (run := best(args, optim)) and math.isfinite(run.loss())]
    return sorted(found, key=Run.loss)


def best_presets(args, count):
    return [run for run in ranked(args) if run.optim not in VARIANTS][:count]


def chosen(args, count, always):
    names = {run.optim for run in best_presets(args, count)} | set(always)
    return [run for run in ranked(args) if run.optim in names]


def seeded(args):
    return chosen(args, 8, ALWAYS_SEEDED)


def seed_runs(args, run):
    return [Run(args, run.optim, run.rate, seed) for seed in (1, 2, 3)]


def large_runs(args):
    found = [run for run in chosen(args, 5, BASELINES) if not args.only or run.optim in args.only]
    return [Run(args, run.optim, rate, 1, large=True) for run in found for rate in (step_from(run.rate, up=False), run.rate)]


def measure_speeds(args):
    """Measures each optimizer alone, on two threads."""
    measure("comparison", "optim", args.rounds, {
        run.optim: [args.galore, "bench", *run.settings(), "threads=2", "--bench_steps", "20", "--json"] for run in ranked(args)})


def seeds_of(args, run):
    losses = [r.loss() for r in seed_runs(args, run) if r.complete()]
    return f"{statistics.mean(losses):.4f}, {statistics.stdev(losses):.4f}" if len(losses) == 3 else ""


def table(args):
    rows = ["| optimizer | rate | loss | perplexity | three seeds: mean loss, deviation | state | peak memory | tokens/s | "
            "at 10 M: perplexity, rate |", "|---|---|---|---|---|---|---|---|---|"]
    speed, smallest = speeds("comparison", "optim"), math.inf
    for run in ranked(args):
        if run.optim in ABLATION and run.optim in VARIANTS:
            continue
        large, record = best(args, run.optim, large=True), run.record()
        mark = "**" if record["optimizer_bytes"] < smallest else ""  # nothing with as little state has a lower loss
        smallest = min(smallest, record["optimizer_bytes"])
        rows.append(" | ".join((
            f"| {mark}{run.optim}{mark}", f"{run.rate:g}", f"{run.loss():.4f}", f"{math.exp(run.loss()):.2f}",
            seeds_of(args, run), f"{record['optimizer_bytes'] / 2**20:.2f} MiB", f"{record['peak_memory_bytes'] / 2**20:.0f} MiB",
            f"{speed[run.optim]:.0f}" if run.optim in speed else "",
            f"{math.exp(large.loss()):.2f}, {large.rate:g} |" if large else "|")))
    return "\n".join(rows) + "\n"


def ablation_table(args):
    rows = ["| | rate | loss | perplexity | published at 60M: perplexity |", "|---|---|---|---|---|"]
    rows += [f"| {name} | {run.rate:g} | {run.loss():.4f} | {math.exp(run.loss()):.2f} | {published} |"
             for name, published in ABLATION.items() if (run := best(args, name))]
    return "\n".join(rows) + "\n"


def curves(args):
    """Draws the eight best optimizers and those that always have several seeds, from the second
    evaluation on.
    """
    return [{"name": run.optim, "curve": run.record()["curve"][1:]} for run in seeded(args)]


def report(args):
    records = [path.read_text(encoding="utf-8") for path in sorted(args.out.glob("*/record.json"))]
    raw = ROOT / f"bench/runs/{time.strftime('%Y-%m-%d')}-comparison.jsonl"
    raw.write_text("".join(record + "\n" for record in records), encoding="utf-8")
    text = table(args)
    write_between("comparison", text)
    write_between("ablation", ablation_table(args))
    (ROOT / "docs/comparison.svg").write_text(svg(curves(args)), encoding="utf-8")
    print(text)


def restore(args):
    """Loads the records of the last raw file."""
    files = sorted((ROOT / "bench/runs").glob("*-comparison.jsonl"))
    for line in files[-1].read_text(encoding="utf-8").splitlines() if files else []:
        record = json.loads(line)
        run = Run(args, *(record[key] for key in ("optim", "learning_rate", "seed", "large")))
        if not run.complete():
            run.keep(record)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / ".cache/comparison")
    parser.add_argument("--stage", choices=("grid", "seeds", "large", "speed", "report"), default="report")
    parser.add_argument("--only", nargs="*", help="names of optimizers")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, a thread each")
    parser.add_argument("--rounds", type=int, default=2, help="of --stage speed")
    args = parser.parse_args()
    args.out = args.out.resolve()
    restore(args)
    if args.stage == "grid":
        at_once(args, lambda optim: search_rate(args, optim), args.only or list(RUNS))
    if args.stage == "seeds":
        at_once(args, Run.train, [r for run in seeded(args) for r in seed_runs(args, run)])
    if args.stage == "large":
        at_once(args, Run.train, large_runs(args))
    if args.stage == "speed":
        measure_speeds(args)
    if args.stage == "report":
        report(args)


if __name__ == "__main__":
    main()
