#!/usr/bin/env python3
"""Checks every #include "folder/..." in src/ against the order of design: an arrow may only point downwards."""

import pathlib
import re
import sys

# folder -> folders that it may include beside itself. One row per folder of src/; `optim` and `nn` do not know each
# other (they meet in core/gradient_sink.h), and a model cannot reach an optimizer.
MODEL = {"core", "kernels", "nn"}
ALLOWED = {
    "core": set(),
    "kernels": {"core"},
    "optim": {"core", "kernels"},
    "nn": {"core", "kernels"},
    "models": MODEL,
    "heads": MODEL | {"models"},
    "adapters": MODEL,
    "tokenizer": {"core"},
    "data": {"core", "kernels", "tokenizer"},
    "distributed": {"core"},
    "report": {"core"},
    "checkpoint": MODEL | {"models", "heads", "adapters", "tokenizer", "data", "optim", "distributed"},
}
ALLOWED["train"] = set(ALLOWED)
ALLOWED["cli"] = set(ALLOWED) | {"train"}
ALLOWED["python"] = set(ALLOWED) | {"train"}

# Highway wants its headers between quotes, and only kernels use it.
EXTERNAL = {"kernels": {"hwy"}}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
SOURCES = {".h", ".cpp", ".cu", ".cuh"}


def violations(source, path):
    folder = path.relative_to(source).parts[0]
    if folder not in ALLOWED:
        yield 1, f"src/{folder} has no row in scripts/check-includes.py"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, name = match.groups()
        target = name.split("/")[0]
        if quote == "<":
            if name == "torch/torch.h" or name.startswith("torch/all.h"):
                yield number, f"<{name}> costs seconds for every file: include ATen headers"
        elif "/" not in name or name.startswith("."):
            yield number, f'"{name}": name headers from src/, as in "core/errors.h"'
        elif target != folder and target not in ALLOWED[folder] | EXTERNAL.get(folder, set()):
            allowed = ", ".join(sorted(ALLOWED[folder])) or "nothing"
            yield number, f'{folder} may not include "{name}" (it may include {allowed})'


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "src"
    files = sorted(p for p in source.rglob("*") if p.suffix in SOURCES)
    found = [(p, n, text) for p in files for n, text in violations(source, p)]
    for path, number, text in found:
        print(f"{path.relative_to(source.parent)}:{number}: {text}")
    print(f"check-includes: {len(files)} files, {len(found)} faults", file=sys.stderr)
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
