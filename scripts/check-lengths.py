#!/usr/bin/env python3
"""Checks that source files stay below 400 lines and functions below 40.

Functions are found by the house's format (clang-format, Google style): a line that ends with "{" and holds ")", outside
another function, opens one, and the next "}" in the column of its first line ends it. A report, not a parser.
"""

import pathlib
import re
import subprocess
import sys

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
OPENS = re.compile(r"\)[^;]*\{$")
FOLDERS = ("src", "tests", "bench", "examples", "cmake", "scripts")
SOURCES = (".h", ".cpp", ".cu", ".cuh", ".py", ".sh")


def first_line(lines, last):
    """The line on which the parameter list that ends on line `last` began."""
    depth = 0
    for number in range(last, max(last - 20, -1), -1):
        depth += lines[number].count(")") - lines[number].count("(")
        if depth <= 0 and not lines[number].lstrip().startswith(": "):  # a constructor's initializers
            return number
    return last


def long_functions(lines):
    start, indent = None, ""
    for number, line in enumerate(lines):
        if start is None:
            if OPENS.search(line):
                start = first_line(lines, number)
                indent = re.match(" *", lines[start]).group()
        elif re.match(indent + r"\}", line):
            if number - start + 1 > MAX_FUNCTION_LINES:
                yield start + 1, number - start + 1
            start = None


def files_of(root):
    patterns = [folder + "/*" for folder in FOLDERS]
    command = [root / "scripts" / "list-files", *patterns]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [root / name for name in listing.splitlines() if name.endswith(SOURCES)]


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
