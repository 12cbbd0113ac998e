#!/usr/bin/env python3
"""Checks the handwritten Markdown pages: prose wraps at 100 columns, and links to files and headings lead somewhere."""

import pathlib
import re
import subprocess
import sys

COLUMNS = 100
# docs/methods.md is generated. The dated pages of bench/runs hold raw lines and stay as they were written.
EXCLUDED = re.compile(r"docs/methods\.md|bench/runs/|tests/|src/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def prose(text):
    """Number and text of each line outside of code blocks."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield number, line


def may_be_long(line):
    """Tables, headings and images cannot be wrapped, nor can a line that is one word."""
    return line.startswith(("|", "#", "![")) or len(line.split()) == 1


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def link_fault(page, link):
    if re.match(r"[a-z]+:", link):
        return None
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return f"{name} does not exist"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return f"{target.name} has no heading #{anchor}"
    return None


def faults(page):
    for number, line in prose(page.read_text(encoding="utf-8")):
        if len(line) > COLUMNS and not may_be_long(line):
            yield number, f"{len(line)} columns; prose wraps at {COLUMNS}"
        for link in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if fault := link_fault(page, link):
                yield number, fault


def main():
    names = subprocess.run([ROOT / "scripts/list-files", "*.md"], capture_output=True, text=True, check=True, cwd=ROOT)
    failed = False
    for name in names.stdout.split():
        if EXCLUDED.match(name):
            continue
        for number, fault in faults(ROOT / name):
            print(f"{name}:{number}: {fault}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
