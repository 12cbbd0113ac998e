"""Compares `galore tokenize` with the Python package `tokenizers` on hostile and random texts.

    python check_fuzz.py GALORE TEXT_FILE WORK_FOLDER [--count 100000] [--seed 1]
                         [--shapes gpt2,bert] [--real FOLDER]

It is slow and not part of the tests. It trains the tokenizers of shapes.py on TEXT_FILE (kept in
WORK_FOLDER) or, with --real, takes FOLDER/*/tokenizer.json. It encodes `count` texts with special
tokens and decodes the ids with and without special tokens. It prints a line for each tokenizer and
the first differences, and fails when there are any. Needs tokenizers (0.22.2 was compared).
"""
import argparse
import json
import pathlib
import subprocess
import sys

import hostile_texts
import shapes
from tokenizers import Tokenizer, __version__

SHOWN, BLOCK = 3, 2000


def run(galore, tokenizer, rows, output, *more):
    command = [galore, "tokenize", "--tokenizer_name", tokenizer, "--input", rows, "--output", output, *more]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    with open(output, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_rows(path, key, values):
    with open(path, "w", encoding="ascii") as file:
        for value in values:
            file.write(json.dumps({key: value}) + "\n")


def in_blocks(values, convert):
    """Converts all values block by block, so that the package's large objects exist for one block
    at a time.
    """
    result = []
    for begin in range(0, len(values), BLOCK):
        result += convert(list(values[begin:begin + BLOCK]))
    return result


def differences(galore, path, texts, work):
    """Returns triples of a text, our result and the package's."""
    tokenizer = Tokenizer.from_file(str(path))
    rows = work / "texts.jsonl"
    ours = [row["input_ids"] for row in run(galore, path, rows, work / "ids.jsonl")]
    theirs = in_blocks(texts, lambda block: [encoding.ids for encoding in tokenizer.encode_batch(block)])
    # An empty text gives no row, and neither does a text without ids.
    texts, theirs = zip(*((text, ids) for text, ids in zip(texts, theirs) if text and ids))
    if len(ours) != len(theirs):
        raise SystemExit(f"{path}: {len(ours)} rows for {len(theirs)} texts")
    yield from ((t, a, b) for t, a, b in zip(texts, ours, theirs) if a != b)
    write_rows(work / "their_ids.jsonl", "input_ids", theirs)
    for skip in (False, True):
        decoded = run(galore, path, work / "their_ids.jsonl", work / "text.jsonl", "--decode",
                      f"--skip_special_tokens={str(skip).lower()}")
        expected = in_blocks(theirs, lambda block: tokenizer.decode_batch(block, skip_special_tokens=skip))
        yield from ((t, a["text"], b) for t, a, b in zip(texts, decoded, expected) if a["text"] != b)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("galore"), parser.add_argument("text"), parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=100_000), parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shapes", default=""), parser.add_argument("--real", type=pathlib.Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    folder = options.real or options.work / "shapes"
    names = [name for name in options.shapes.split(",") if name]
    if not options.real:
        missing = [make.__name__ for make in shapes.SHAPES if not (folder / make.__name__ / "tokenizer.json").exists()]
        if missing:
            shapes.write_shapes(folder, pathlib.Path(options.text).read_text(encoding="utf-8")[:400_000], missing)
    texts = hostile_texts.texts(options.count, options.seed)
    write_rows(options.work / "texts.jsonl", "text", texts)
    total = 0
    for path in sorted(folder.glob("*/tokenizer.json")):
        if names and path.parent.name not in names:
            continue
        found = list(differences(options.galore, path, texts, options.work))
        total += len(found)
        print(f"{path.parent.name}: {len(texts)} texts, {len(found)} differences (tokenizers {__version__}, "
              f"seed {options.seed})", flush=True)
        for text, ours, theirs in found[:SHOWN]:
            print(f"  {text!r}\n    galore:     {ours}\n    tokenizers: {theirs}")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
