"""Helpers for the pages of results: logs of runs, tables of docs/results.md, curves."""

import json
import os
import pathlib
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLORS = ("#1b6ca8", "#b5482a", "#3c8d53", "#8e5ea2", "#c49a1a", "#4aa6b5", "#d1608f", "#666666", "#7fb2d9", "#e0a185",
          "#9bcf8f", "#222222")


def run_measured(command, **more):
    """Runs a program and returns its exit status and its processor time, user and system."""
    process = subprocess.Popen([str(word) for word in command], **more)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


def events(folder):
    """Reads the events of a run and leaves out a line that is still being written."""
    path = folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def evaluations(folder):
    return [e for e in events(folder) if e.get("event") == "eval" and "eval_loss" in e]


def numbers_in(value, names):
    """Returns the sum of the numbers under keys that contain one of `names`, at any depth."""
    if not isinstance(value, dict):
        return 0
    return sum(v if isinstance(v, (int, float)) and any(n in k for n in names) else numbers_in(v, names)
               for k, v in value.items())


def svg(best):
    """Draws the evaluation loss over updates, one line for each optimizer."""
    width, height, left, right, bottom = 820, 380, 60, 180, 45
    points = [p for run in best for p in run["curve"]]
    x0, x1, y0, y1 = min(x for x, _ in points), max(x for x, _ in points), min(y for _, y in points), max(y for _, y in points)

    def at(x, y):
        span = max(y1 - y0, 1e-9)
        return f"{left + (x - x0) / max(x1 - x0, 1) * (width - left - right):.1f},{20 + (y1 - y) / span * (height - bottom - 20):.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             f'font-size="13"><rect width="{width}" height="{height}" fill="white"/>']
    for i in range(5):
        y = y0 + (y1 - y0) * i / 4
        px, py = at(x0, y).split(",")
        parts.append(f'<path d="M{px},{py}H{width - right}" stroke="#ddd"/><text x="{left - 8}" y="{float(py) + 4:.0f}" '
                     f'text-anchor="end">{y:.2f}</text>')
    for x in (x0, (x0 + x1) // 2, x1):
        parts.append(f'<text x="{at(x, y0).split(",")[0]}" y="{height - 22}" text-anchor="middle">{x}</text>')
    parts.append(f'<text x="{(left + width - right) / 2}" y="{height - 5}" text-anchor="middle">updates; evaluation loss</text>')
    for i, run in enumerate(best):
        line = " ".join(at(x, y) for x, y in run["curve"])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLORS[i % len(COLORS)]}" stroke-width="2"/>')
        parts.append(f'<text x="{width - right + 15}" y="{30 + 18 * i}" fill="{COLORS[i % len(COLORS)]}">{run["name"]}</text>')
    return "\n".join(parts) + "\n</svg>\n"


def write_between(mark, text):
    """Replaces the part of docs/results.md between <!-- mark --> and <!-- end of mark -->."""
    page = ROOT / "docs/results.md"
    before, rest = page.read_text(encoding="utf-8").split(f"<!-- {mark} -->\n")
    after = rest.split(f"<!-- end of {mark} -->\n")[1]
    page.write_text(f"{before}<!-- {mark} -->\n{text}<!-- end of {mark} -->\n{after}", encoding="utf-8")


def measure(page, key, rounds, commands):
    """Runs the `galore bench` of each name in turn, so that disturbances of the machine affect all
    of them, and writes a raw file of this day.
    """
    with open(ROOT / f"bench/runs/{time.strftime('%Y-%m-%d')}-{page}-speed.jsonl", "w", encoding="utf-8") as file:
        for number in range(rounds):
            for name, command in commands.items():
                done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
                file.write(json.dumps({key: name, "round": number, **json.loads(done.stdout)}) + "\n")


def speeds(page, key):
    """Returns {name: median tokens per second} of the last such file."""
    found = {}
    for path in sorted((ROOT / "bench/runs").glob(f"*-{page}-speed.jsonl"))[-1:]:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            found.setdefault(record[key], []).append(record["tokens_per_second_with_refresh"])
    return {name: statistics.median(values) for name, values in found.items()}
