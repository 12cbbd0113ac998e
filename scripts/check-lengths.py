#!/usr/bin/env python3
"""Checks that every source and script has at most 400 lines, and every function at most 40.

Functions of Python are found by its parser, all others by their format (clang-format, Google
style): a line that ends with "{" and holds ")", outside another function, opens one, and the next
"}" in the column of its first line ends it.
"""

import ast
import pathlib
import re
import subprocess
import sys

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
GENERATED = "python/galore_cpp/optim/_presets.py"  # a test holds it to the tables
OPENS = re.compile(r"\)[^;]*\{$")
SUFFIXES = {".h", ".cpp", ".cu", ".cuh", ".js", ".css", ".html", ".py", ".sh", ".cmake"}
NAMES = {"CMakeLists.txt", "Makefile"}


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


def long_python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            size = node.end_lineno - node.lineno + 1
            if size > MAX_FUNCTION_LINES:
                yield node.lineno, size


def sources(root):
    """Every source, and its language: that of the first line where the name does not tell."""
    listing = subprocess.run([root / "scripts" / "list-files"], check=True, capture_output=True, text=True).stdout
    for name in listing.splitlines():
        path = root / name
        if path.suffix in SUFFIXES or path.name in NAMES:
            yield name, path.suffix, path.read_text(encoding="utf-8")
        elif path.suffix == "":
            with path.open("rb") as file:
                is_script = file.read(2) == b"#!"
            if is_script:
                text = path.read_text(encoding="utf-8")
                yield name, ".py" if "python" in text.split("\n", 1)[0] else ".sh", text


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    faults, longest, count = [], (0, ""), 0
    for name, language, text in sources(root):
        if name == GENERATED:
            continue
        lines = text.splitlines()
        count += 1
        longest = max(longest, (len(lines), name))
        if len(lines) > MAX_FILE_LINES:
            faults.append(f"{name}: {len(lines)} lines, at most {MAX_FILE_LINES}")
        functions = long_python_functions(text) if language == ".py" else long_functions(lines)
        faults += [f"{name}:{n}: function of {size} lines, at most {MAX_FUNCTION_LINES}" for n, size in functions]
    print("\n".join([*faults, f"check-lengths: {count} files, {len(faults)} faults; the longest is {longest[1]}, "
                               f"{longest[0]} lines"]))
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
