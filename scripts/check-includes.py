#!/usr/bin/env python3
"""Checks the #include lines of all sources.

In src/ a folder may include only the folders of its row below, and every folder in a row must be
used. Tests and benchmarks may include all of src/, examples only the public headers and their
neighbours.
"""

import pathlib
import re
import sys

# folder -> folders that it may include besides itself. One row per folder of src/; `optim` and `nn` do not know each
# other (they meet in core/parameter.h), and a model cannot reach an optimizer.
MODEL = {"core", "kernels", "nn"}
ALLOWED = {
    "core": set(),
    "kernels": {"core"},
    "optim": {"core", "kernels"},
    "nn": {"core", "kernels"},
    "adapters": MODEL,
    "heads": MODEL,
    "models": MODEL | {"adapters", "heads"},
    "tokenizer": {"core"},
    "chat": {"core", "tokenizer"},
    "data": {"core", "tokenizer", "chat"},
    "mixtures": {"core", "kernels", "optim", "models", "data"},
    "distributed": {"core"},
    "report": {"core"},
    "checkpoint": MODEL | {"adapters", "models"},
    "export": {"core", "models", "tokenizer", "checkpoint"},
}
# These put the others together, and may include every folder above their line.
TOP = ("tasks", "train", "cli", "python")
for folder in TOP:
    ALLOWED[folder] = set(ALLOWED) - {"cli"}

# Highway wants its headers between quotes, and only kernels use it.
EXTERNAL = {"kernels": {"hwy"}, "bench": {"hwy"}}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
SOURCES = {".h", ".cpp", ".cu", ".cuh"}


def includes(path):
    """Line, quote and name of each #include."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, *match.groups()


def source_faults(source, path, used):
    """Of a file in src/; adds the arrows that it is the reason for to `used`."""
    folder = path.relative_to(source).parts[0]
    if folder not in ALLOWED:
        yield 1, f"src/{folder} has no row in scripts/check-includes.py"
        return
    for number, quote, name in includes(path):
        target = name.split("/")[0]
        used.add((folder, target))
        if quote == "<":
            if name == "torch/torch.h" or name.startswith("torch/all.h"):
                yield number, f"<{name}> costs seconds for every file: include ATen headers"
        elif "/" not in name or name.startswith("."):
            yield number, f'"{name}": name headers from src/, as in "core/errors.h"'
        elif target != folder and target not in ALLOWED[folder] | EXTERNAL.get(folder, set()):
            allowed = ", ".join(sorted(ALLOWED[folder])) or "nothing"
            yield number, f'{folder} may not include "{name}" (it may include {allowed})'


def outside_faults(root, path):
    """Of a file in tests/ or bench/: headers are named from src/, from the folder above or as neighbours."""
    folder = path.relative_to(root).parts[0]
    places = (root / "src", root, root / "tests", path.parent)
    for number, quote, name in includes(path):
        if quote == "<" and name == "torch/torch.h":
            yield number, f"<{name}> costs seconds for every file: include ATen headers"
        elif quote == '"' and name.split("/")[0] not in EXTERNAL.get(folder, set()) and \
                not any((place / name).is_file() for place in places):
            yield number, f'"{name}" is neither in src/ nor a neighbour'


def example_faults(public, path):
    for number, quote, name in includes(path):
        is_own = (path.parent / name).is_file()
        if quote == '"' and not is_own and name.removeprefix("galore/") not in public:
            yield number, f'"{name}" is none of the public headers of cmake/PublicHeaders.cmake'


def public_headers(root):
    text = (root / "cmake" / "PublicHeaders.cmake").read_text(encoding="utf-8")
    listed = text[text.index("set(headers"):]
    return set(re.findall(r"[\w/]+\.h\b", listed[:listed.index(")")]))


def files_of(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in SOURCES)


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    source, used, public = root / "src", set(), public_headers(root)
    checks = [(p, source_faults(source, p, used)) for p in files_of(source)]
    checks += [(p, outside_faults(root, p)) for folder in ("tests", "bench", "python") for p in files_of(root / folder)]
    checks += [(p, example_faults(public, p)) for p in files_of(root / "examples")]
    found = [f"{p.relative_to(root)}:{n}: {text}" for p, faults in checks for n, text in faults]
    there = {p.name for p in source.iterdir() if p.is_dir()}
    found += [f"scripts/check-includes.py: {folder} -> {target} is allowed, and no file uses it"
              for folder in there & set(ALLOWED) - set(TOP) for target in ALLOWED[folder] & there
              if (folder, target) not in used]
    print("\n".join([*found, f"check-includes: {len(checks)} files, {len(found)} faults"]))
    return 1 if found or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
