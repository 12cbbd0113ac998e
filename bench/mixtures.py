#!/usr/bin/env python3
"""Compares learned weights of a data mixture with fixed ones.

    python3 bench/mixtures.py [--stage data|train|closeness|report] [--only NAME ...] [--steps 3200]
                              [--seeds 1 2 3] [--jobs 2] [--large]

The sources are clean English (half of the chapters of the King James Bible), English with shuffled
words (the other half), source code (the installed modules of Python) and German (the manual pages of
Debian's package manpages-de). Two targets are evaluated: clean English, and the mean of clean
English, code and German.

data       writes the texts and the tokenizer into .cache/mixtures (needs the packages bible-kjv and
           manpages-de; the latter is downloaded by apt-get, not installed)
train      trains each mixture of RUNS with each seed
closeness  trains once with inner=both and compares the inner products inside the subspaces with
           those of whole gradients, for several ranks
report     writes bench/runs/<date>-mixtures.jsonl, one line for each run, and prints the tables

The model is a LLaMA of 0.6 M weights, which sees 512 tokens an update. --large trains 1.8 M weights
on 2048 tokens an update; 800 updates then see as many tokens. Without --stage all stages run. A run
is one process with one thread, so --jobs 2 fills two cores. A run takes about 75 seconds while both
cores are busy (AVX-512), and the 42 runs of three seeds half an hour; a large one of 800 updates
takes four minutes. A run that has ended is not repeated, so an interrupted series continues.
"""

import argparse
import concurrent.futures
import json
import math
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sysconfig
import tempfile
import time

from results_page import ROOT, evaluations, events

OUT = ROOT / ".cache" / "mixtures"
SOURCES = ("clean", "shuffled", "code", "german")
TARGET = ("clean", "code", "german")  # the second target
# Bytes of a source: proportional weights give most of the rows to code and German.
BYTES = {"clean": 1_500_000, "shuffled": 1_500_000, "code": 6_000_000, "german": 3_000_000}
VALID_SHARE = 20  # every 20th document is held out
# Fixed mixtures: weights of SOURCES. Learned ones begin uniform.
FIXED = {"uniform": (1, 1, 1, 1), "clean_40": (2, 1, 1, 1), "clean_70": (7, 1, 1, 1), "clean_100": (1, 0, 0, 0),
         "no_noise": (1, 0, 1, 1), "no_noise_clean_50": (2, 0, 1, 1), "no_noise_clean_20": (1, 0, 2, 2)}
LEARNED = {"gar_next": ("gar", "target=next"), "gar_clean": ("gar", "target=clean"),
           "gar_mixture": ("gar", "target=clean+code+german"),
           "gar_mixture_projected": ("gar", "target=clean+code+german,inner=projected"),
           "doge": ("doge", ""), "aioli": ("aioli", "update_steps=200")}
RUNS = ("proportional", *FIXED, *LEARNED)
RANKS = (4, 16, 32, 64)
CLOSENESS_STEPS = 800
SMALL = ("config_name=configs/llama_mixtures_small.json", "max_length=64", "per_device_train_batch_size=8")


def mixture_of(weights):
    parts = []
    for name, weight in zip(SOURCES, weights):
        path = f".cache/mixtures/{name}"
        parts.append(f"name={name},files={path}.txt,eval_files={path}-valid.txt,weight={weight}")
    return "mixture=" + ";".join(parts)


def settings_of(name):
    if name == "proportional":
        return []
    if name in FIXED:
        return [mixture_of(FIXED[name])]
    method, args = LEARNED[name]
    return ["mixture_temperature=inf", f"mixture_learning={method}", f"mixture_args={args}"]


# --- texts ----------------------------------------------------------------------------------------


def bible():
    """Returns the chapters of the King James Bible, one verse a line."""
    text = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], check=True, capture_output=True, text=True).stdout
    chapters, last = [], None
    for line in text.splitlines():
        found = re.match(r"([0-9]?[A-Za-z]+[0-9]+):[0-9]+ (.*)", line)
        if found and found[1] != last:
            chapters.append([])
            last = found[1]
        if found or line.strip():
            chapters[-1].append(found[2] if found else line.strip())
    return ["\n".join(lines) for lines in chapters]


def shuffled(text, seed):
    words = text.split()
    random.Random(seed).shuffle(words)
    return " ".join(words)


def code():
    """Returns the installed modules of Python, without their tests."""
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    files = sorted(p for p in folder.rglob("*.py") if not {"test", "tests", "site-packages"} & set(p.parts))
    return [re.sub(r"\n\s*\n+", "\n", p.read_text(encoding="utf-8", errors="ignore")) for p in files]


def german():
    """Returns the German manual pages as plain text."""
    pages = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "manpages-de"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        package = next(pathlib.Path(folder).glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, folder], check=True)
        for path in sorted(pathlib.Path(folder).rglob("man/de/man*/*.gz")):
            if not path.is_symlink():
                pages.append(plain(subprocess.run(["gzip", "-dc", path], check=True, capture_output=True).stdout))
    return [page for page in pages if page]


def plain(page):
    """Takes the macros of roff off a manual page."""
    lines = []
    for line in page.decode("utf-8", errors="ignore").splitlines():
        line = re.sub(r"^[.'](SH|SS|B|I|BR|IR|BI|RB|RI|TP|IP)\b ?", "", line)
        if line.startswith((".", "'")):
            continue
        line = re.sub(r"\\(f[BIRP]|f\(CW|&|/|,|\"[^\n]*)", "", line).replace("\\-", "-").replace("\\(aq", "'")
        lines.append(re.sub(r"\\\[[^]]*\]|\\\(..|\\.", " ", line).strip('" '))
    return "\n".join(line for line in lines if line)


def write_source(name, documents):
    """Writes documents in a random order, up to the bytes of the source."""
    random.Random(name).shuffle(documents)
    parts, size = {"": [], "-valid": []}, 0
    for number, text in enumerate(documents):
        text = text[:60000]
        if size > BYTES[name]:
            break
        size += len(text.encode())
        parts["-valid" if number % VALID_SHARE == 0 else ""].append(re.sub(r"\n\s*\n+", "\n", text))
    for suffix, texts in parts.items():
        (OUT / f"{name}{suffix}.txt").write_text("\n\n".join(texts), encoding="utf-8")


def make_data(args):
    if (OUT / "tokenizer" / "made").exists():
        return
    OUT.mkdir(parents=True, exist_ok=True)
    chapters = bible()
    write_source("clean", chapters[::2])
    write_source("shuffled", [shuffled(text, number) for number, text in enumerate(chapters[1::2])])
    write_source("code", code())
    write_source("german", german())
    files = ",".join(str(OUT / f"{name}.txt") for name in SOURCES)
    subprocess.run([args.galore, "train-tokenizer", "--input", files, "--vocab_size", "4096", "--max_sentences",
                    "100000", "--output", OUT / "tokenizer"], check=True)
    (OUT / "tokenizer" / "made").touch()


# --- runs -----------------------------------------------------------------------------------------


def folder_of(args, name, seed):
    return OUT / f"{name}-{args.steps}-{seed}{'' if args.large else '-small'}"


def train(args, name, seed, settings):
    folder = folder_of(args, name, seed)
    record = folder / "record.json"
    if record.exists():
        return json.loads(record.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [args.galore, "train", "configs/mixtures.yaml", *settings, f"seed={seed}", f"max_steps={args.steps}",
               f"output_dir={folder.relative_to(ROOT)}", "cache_dir=.cache/mixtures/cache",
               *(() if args.large else SMALL)]
    with open(folder / "output.txt", "w", encoding="utf-8") as output:
        subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=True)
    found = summary(folder, name, seed, command[1:])
    record.write_text(json.dumps(found), encoding="utf-8")
    print(f"{folder.name}: clean {found['clean']:.4f}  mixture {found['mixture']:.4f}", flush=True)
    return found


def summary(folder, name, seed, command):
    last = evaluations(folder)[-1]
    losses = {source: last[f"eval_{source}_loss"] for source in SOURCES}
    logged = [e for e in events(folder) if e["event"] == "mixture"]
    total = next(e for e in events(folder) if e["event"] == "end")
    evaluated = sum(e["seconds"] for e in evaluations(folder))
    learned = sum(e.get("seconds", 0) for e in logged)
    return {"name": name, "seed": seed, "losses": losses, "clean": losses["clean"],
            "mixture": statistics.mean(losses[source] for source in TARGET),
            "weights": [(e["step"], e["weights"]) for e in logged], "tokens": logged[-1]["tokens"],
            "seconds": total["seconds"], "training_seconds": total["seconds"] - evaluated,
            "learning_seconds": learned, "command": command}


def train_all(args):
    jobs = [(name, seed) for seed in args.seeds for name in args.only or RUNS]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        return list(pool.map(lambda job: train(args, *job, settings_of(job[0])), jobs))


def measure_closeness(args):
    """Returns the correlation and the sizes of both kinds of rewards, for each rank."""
    args = argparse.Namespace(**{**vars(args), "steps": min(args.steps, CLOSENESS_STEPS)})
    lines = []
    for rank in RANKS:
        name = f"closeness_{rank}"
        method = ["mixture_temperature=inf", "mixture_learning=gar", "logging_steps=5",
                  "mixture_args=target=clean+code+german,inner=both,update_steps=5,rows=2",
                  f"optim_args=rank={rank},update_proj_gap=100"]
        train(args, name, 1, method)
        logged = [e for e in events(folder_of(args, name, 1))
                  if e["event"] == "mixture" and "projected_rewards" in e and not e["frozen"]]
        exact = [e["rewards"][s] for e in logged for s in SOURCES]
        near = [e["projected_rewards"][s] for e in logged for s in SOURCES]
        same = [max(SOURCES, key=e["rewards"].get) == max(SOURCES, key=e["projected_rewards"].get) for e in logged]
        lines.append({"rank": rank, "measurements": len(logged), "correlation": statistics.correlation(exact, near),
                      "error": math.sqrt(sum((a - b) ** 2 for a, b in zip(exact, near)) / sum(a * a for a in exact)),
                      "same_best": statistics.mean(same)})
    return lines


# --- report ---------------------------------------------------------------------------------------


def mean_and_spread(values):
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"


def compact(record):
    """Returns the record with the weights that changed, in four digits."""
    changes, last = [], None
    for step, weights in record["weights"]:
        rounded = {source: round(weight, 4) for source, weight in weights.items()}
        if rounded != last:
            changes.append((step, rounded))
        last = rounded
    return {**record, "weights": changes}


def report(args, closeness):
    records = [train(args, name, seed, settings_of(name)) for name in args.only or RUNS for seed in args.seeds]
    raw = ROOT / "bench" / "runs" / f"{time.strftime('%Y-%m-%d')}-mixtures.jsonl"
    raw.write_text("".join(json.dumps(r) + "\n" for r in [*map(compact, records), *closeness]), encoding="utf-8")
    print(f"| mixture | clean English | mean of {', '.join(TARGET)} | last weights ({', '.join(SOURCES)}) | cost |")
    print("|---|---|---|---|---|")
    for name in args.only or RUNS:
        own = [r for r in records if r["name"] == name]
        weights = [statistics.mean(r["weights"][-1][1][s] for r in own) for s in SOURCES]
        cost = statistics.mean(r["learning_seconds"] / (r["training_seconds"] - r["learning_seconds"]) for r in own)
        print(f"| {name} | {mean_and_spread([r['clean'] for r in own])} | {mean_and_spread([r['mixture'] for r in own])} | "
              f"{', '.join(f'{w:.2f}' for w in weights)} | {f'{cost:.1%}' if name in LEARNED else ''} |")
    print("\n| rank | measurements | correlation | relative error | same best source |\n|---|---|---|---|---|")
    for line in closeness:
        print(f"| {line['rank']} | {line['measurements']} | {line['correlation']:.4f} | {line['error']:.3f} | "
              f"{line['same_best']:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=("data", "train", "closeness", "report"))
    parser.add_argument("--only", nargs="+", choices=RUNS)
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--galore", default="build/release/galore")
    args = parser.parse_args()
    stages = [args.stage] if args.stage else ["data", "train", "report"]
    if "data" in stages:
        make_data(args)
    if "train" in stages:
        train_all(args)
    if "closeness" in stages:
        measure_closeness(args)
    if "report" in stages:
        report(args, measure_closeness(args))


if __name__ == "__main__":
    main()
