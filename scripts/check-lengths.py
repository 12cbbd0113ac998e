#!/usr/bin/env python3
"""Checks that source files stay below 400 lines and functions below 40.

Functions are found by the house's format (clang-format, Google style): a line in the first columns that ends with
"{" and holds "(" starts one, and the next "}" in the same column ends it. That is a report, not a parser.
"""

import pathlib
import re
import subprocess
import sys

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
START = re.compile(r"^( {0,4})(?! )(?!.*\b(namespace|class|struct|enum|union|if|for|while|switch|else|do)\b[^()]*(\(|\{|$))"
                   r".*\)[^;=]*\{$")
FOLDERS = ("src", "tests", "bench", "examples", "cmake", "scripts")
SOURCES = (".h", ".cpp", ".cu", ".cuh", ".py", ".sh")


def long_functions(lines):
    start, indent = None, ""
    for number, line in enumerate(lines, 1):
        if start is None:
            match = START.match(line)
            if match:
                start, indent = number, match.group(1)
        elif re.match(indent + r"\}", line):
            if number - start + 1 > MAX_FUNCTION_LINES:
                yield start, number - start + 1
            start = None


def files_of(root):
    listing = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS], cwd=root,
                             check=True, capture_output=True, text=True).stdout
    return [root / name for name in listing.splitlines() if name.endswith(SOURCES) and (root / name).exists()]


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    faults, longest = [], (0, "")
    for path in files_of(root):
        lines = path.read_text(encoding="utf-8").splitlines()
        name = str(path.relative_to(root))
        longest = max(longest, (len(lines), name))
        if len(lines) > MAX_FILE_LINES:
            faults.append(f"{name}: {len(lines)} lines, at most {MAX_FILE_LINES}")
        if path.suffix != ".py":
            faults += [f"{name}:{n}: function of {size} lines, at most {MAX_FUNCTION_LINES}"
                       for n, size in long_functions(lines)]
    print("\n".join(faults) if faults else f"check-lengths: longest file {longest[1]}, {longest[0]} lines")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
