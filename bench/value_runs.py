"""What the experiments with value heads share: models, optimizers, runs of galore and tables."""

import argparse
import json
import math
import pathlib
import statistics
import subprocess

from results_page import ROOT, events, run_measured

# name -> (optim, optim_args, factor on the learning rate). GaLore's factor undoes its scale; Muon's
# directions have unit singular values and take a larger rate than Adam's at this size.
OPTIMIZERS = {
    "AdamW": ("adamw_torch", "", 1.0),
    "8-bit GaLore": ("galore_adamw_8bit", "rank=16,update_proj_gap=100,scale=0.25", 4.0),
    "8-bit Muon": ("method=muon,storage=blockwise_8bit", "", 2.0),
}
HEADS = ("mse", "two_hot", "hl_gauss", "c51")


def config(vocab, width, layers, positions):
    """Returns the configuration of a small LLaMA."""
    return {"model_type": "llama", "vocab_size": vocab, "hidden_size": width, "intermediate_size": 3 * width,
            "num_hidden_layers": layers, "num_attention_heads": max(1, width // 32), "num_key_value_heads": max(1, width // 32),
            "max_position_embeddings": positions, "rms_norm_eps": 1e-6, "tie_word_embeddings": False, "hidden_act": "silu"}


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def parser(description, out):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    made.add_argument("--out", type=pathlib.Path, default=ROOT / ".cache" / out)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--heads", nargs="+", default=list(HEADS))
    made.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS), choices=list(OPTIMIZERS))
    return made


def train(args, folder, settings):
    """Runs galore train and returns the last evaluation. A run that is complete is not repeated."""
    done = folder / "evaluation.json"
    if done.exists():
        return json.loads(done.read_text())
    command = [args.galore, "train", f"output_dir={folder}", "overwrite_output_dir=true", f"threads={args.threads}",
               "disable_tqdm=true", "logging_steps=100"] + [f"{key}={value}" for key, value in settings.items()]
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "output.txt", "w", encoding="utf-8") as output:
        code, used = run_measured(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    if code:
        raise SystemExit(f"{' '.join(command)}\n{(folder / 'output.txt').read_text(encoding='utf-8')[-2000:]}")
    last = [event for event in events(folder) if event["event"] == "eval"][-1]
    last["processor_seconds"] = round(used, 1)
    done.write_text(json.dumps(last))
    return last


def optimizer_settings(name, rate):
    optim, options, factor = OPTIMIZERS[name]
    return {"optim": optim, "optim_args": options, "learning_rate": rate * factor}


def spread(values):
    """Returns mean and standard deviation as text."""
    values = [value for value in values if value is not None and math.isfinite(value)]
    if not values:
        return "-"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values) if len(values) > 1 else 0:.3f}"


def table(title, columns, rows):
    """Prints a table; rows: (name, cells)."""
    print(f"| {title} | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, cells in rows:
        print(f"| {name} | " + " | ".join(cells) + " |")
