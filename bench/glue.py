"""Fine-tunes one pretrained encoder on tasks of GLUE by several methods, and prints a table.

    python bench/glue.py --model DIR --data DIR [--tasks cola,mrpc,sst2] [--methods ...] [--seeds 42,43,44]

Each method is first tuned: the first seed runs with every rate of its grid, and the best one serves
all seeds. A finished run stands as a line in OUT/runs.jsonl and is not repeated, so an interrupted
series continues. Wall time depends on what else the machine does, so the table has the processor
time of training and evaluation (user and system). --size small is for a machine that is shared:
1024 rows of a task, once, by 8, with larger rates. --data holds cola/ (in_domain_train.tsv,
in_domain_dev.tsv), mrpc/ (msr_paraphrase_train.txt and _test.txt) and sst2/ (train.tsv, dev.tsv),
as their authors distribute them.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess

from results_page import events, run_measured

TASKS = {
    "cola": ("in_domain_train.tsv", "in_domain_dev.tsv", "eval_matthews_correlation"),
    "mrpc": ("msr_paraphrase_train.txt", "msr_paraphrase_test.txt", "eval_f1"),
    "sst2": ("train.tsv", "dev.tsv", "eval_accuracy"),
}
# Rows of the training file (0: all), epochs, batch, and the rates of methods that train all weights
# and of adapters.
SIZES = {"full": {"rows": 0, "epochs": 3, "batch": 32, "all": (2e-5, 5e-5, 1e-4), "adapter": (1e-4, 2e-4, 5e-4)},
         "small": {"rows": 1024, "epochs": 1, "batch": 8, "all": (1e-4, 3e-4, 1e-3), "adapter": (3e-4, 1e-3, 3e-3)}}
FULL, LOW_RANK = "all", "adapter"
LAYERS = "optim_target_modules=all-linear"
LORA = '{{"r": {rank}, "lora_alpha": {alpha}, "target_modules": "all-linear"}}'
METHODS = {
    "adamw": (FULL, ["optim=adamw_torch"]),
    "adamw_8bit": (FULL, ["optim=adamw_8bit"]),
    "galore_r4": (FULL, ["optim=galore_adamw", "optim_args=rank=4,update_proj_gap=100,scale=4", LAYERS]),
    "galore_r8": (FULL, ["optim=galore_adamw", "optim_args=rank=8,update_proj_gap=100,scale=2", LAYERS]),
    "fira_r8": (FULL, ["optim=fira_adamw", "optim_args=rank=8,update_proj_gap=100,scale=2", LAYERS]),
    "apollo_r8": (FULL, ["optim=apollo_adamw", "optim_args=rank=8,update_proj_gap=100", LAYERS]),
    # Steps then have AdamW's usual size, 0.2 an element, in a matrix of width 384.
    "muon": (FULL, ["optim=muon", "optim_args=scale=4", LAYERS]),
    "lora_r4": (LOW_RANK, ["optim=adamw_torch", "adapter=lora", "adapter_args=" + LORA.format(rank=4, alpha=8)]),
    "lora_r8": (LOW_RANK, ["optim=adamw_torch", "adapter=lora", "adapter_args=" + LORA.format(rank=8, alpha=16)]),
    "dora_r8": (LOW_RANK, ["optim=adamw_torch", "adapter=dora", "adapter_args=" + LORA.format(rank=8, alpha=16)]),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--galore", default="build/release/galore")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="directory of the pretrained encoder")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(".cache/glue"))
    parser.add_argument("--tasks", default="cola,mrpc,sst2")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="42,43,44")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--epochs", type=float, help="instead of those of the size")
    parser.add_argument("--batch", type=int, help="instead of that of the size")
    parser.add_argument("--rates", help="instead of each method's grid, as in 5e-5,1e-4")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    options.epochs = options.epochs or SIZES[options.size]["epochs"]
    options.batch = options.batch or SIZES[options.size]["batch"]
    return options


def command(options, run, folder):
    train, dev, metric = TASKS[run["task"]]
    data, size = options.data / run["task"], SIZES[options.size]
    fixed = {"model_name_or_path": options.model, "task_name": run["task"], "train_file": data / train,
             "eval_file": data / dev, "output_dir": folder, "overwrite_output_dir": "true", "max_length": 128,
             "max_samples": size["rows"], "train_sampling_strategy": "group_by_length", "num_train_epochs": options.epochs,
             "per_device_train_batch_size": options.batch, "per_device_eval_batch_size": 32,
             "learning_rate": run["rate"], "seed": run["seed"], "lr_scheduler_type": "linear", "warmup_steps": 0.1,
             "weight_decay": 0.01, "eval_strategy": "epoch", "metric_for_best_model": metric,
             "threads": options.threads, "disable_tqdm": "true"}
    pairs = [f"{key}={value}" for key, value in fixed.items()] + METHODS[run["method"]][1]
    return [options.galore, "train"] + [part for pair in pairs for part in ("--" + pair.split("=", 1)[0],
                                                                            pair.split("=", 1)[1])]


def train(options, run):
    folder = options.out / "run"
    shutil.rmtree(folder, ignore_errors=True)
    code, used = run_measured(command(options, run, folder), stderr=subprocess.DEVNULL)
    if code:
        raise SystemExit(f"glue: {run} ended with {code}")
    logged = events(folder)
    metric = TASKS[run["task"]][2]
    scores = [event[metric] for event in logged if metric in event]
    memory = next(event for event in logged if event["event"] == "memory")
    end = next(event for event in logged if event["event"] == "end")
    shutil.rmtree(folder)
    return {**run, "scores": scores, "best": max(-1 if score is None else score for score in scores),
            "optimizer_bytes": memory["moments"] + memory["bases"], "peak_bytes": end["peak_memory_bytes"],
            "processor_seconds": round(used, 1)}


class Series:
    """The finished runs, by what identifies them."""

    def __init__(self, options):
        self.options, self.file = options, options.out / "runs.jsonl"
        options.out.mkdir(parents=True, exist_ok=True)
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        self.done = {self.key(run): run for run in map(json.loads, lines)}

    def key(self, run):
        batch = run.get("batch", SIZES[self.options.size]["batch"])  # lines of earlier series name none
        return run["task"], run["method"], run["rate"], run["seed"], run["epochs"], batch, run["rows"]

    def run(self, task, method, rate, seed):
        wanted = {"task": task, "method": method, "rate": rate, "seed": seed, "epochs": self.options.epochs,
                  "batch": self.options.batch, "rows": SIZES[self.options.size]["rows"]}
        if self.key(wanted) not in self.done:
            result = self.done[self.key(wanted)] = train(self.options, wanted)
            with self.file.open("a") as file:
                file.write(json.dumps(result) + "\n")
        return self.done[self.key(wanted)]


def table_row(series, task, method):
    options = series.options
    seeds = [int(seed) for seed in options.seeds.split(",")]
    rates = [float(rate) for rate in options.rates.split(",")] if options.rates else SIZES[options.size][METHODS[method][0]]
    rate = max(rates, key=lambda rate: series.run(task, method, rate, seeds[0])["best"])
    runs = [series.run(task, method, rate, seed) for seed in seeds]
    scores = [100 * run["best"] for run in runs]
    spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    names = ("optimizer_bytes", "peak_bytes", "processor_seconds")
    mean = {name: statistics.mean(run[name] for run in runs) for name in names}
    return (f"| {task} | {method} | {rate:g} | {statistics.mean(scores):.1f}{spread} | "
            f"{mean['optimizer_bytes'] / 2**20:.1f} | {mean['peak_bytes'] / 2**20:.0f} | {mean['processor_seconds']:.0f} |")


def main():
    options = arguments()
    series = Series(options)
    print("| task | method | rate | score | optimizer MiB | peak MiB | processor seconds |\n|---|---|---|---|---|---|---|")
    for task in options.tasks.split(","):
        for method in options.methods.split(","):
            print(table_row(series, task, method), flush=True)


if __name__ == "__main__":
    main()
