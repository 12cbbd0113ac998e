#!/usr/bin/env python3
"""Checks that type names are unique in a namespace and function names unique in a folder.

No two headers may define a type of one name in the same namespace, and no two sources of a folder
may define functions of one name in anonymous namespaces. For types, the linker would take one
class's virtual table for both (the one-definition rule asks for no diagnostic), and the choice may
differ from build to build. Such functions become overloads of each other when the sources of a
folder are compiled as one (CMakePresets.json), and the compiler may choose the wrong one.
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMESPACE = re.compile(r"^namespace ([\w:]+) \{")
END = re.compile(r"^\}  // namespace ([\w:]+)")
TYPE = re.compile(r"^(?:class|struct|enum class|enum) (\w+)(?: final)?(?: : [^;]*|)\s*\{")

FUNCTION = re.compile(r"(?:template .*> )?(?:\[\[noreturn\]\] )?(?!return |using |class |struct |TEST|INSTANTIATE)"
                      r"[A-Za-z_][\w:<>,&* ]*[ &*](\w+)\(")


def own_functions(path):
    """Returns the functions that a source defines or declares in an anonymous namespace."""
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line in ("namespace {", "}  // namespace"):
            inside = line == "namespace {"
        elif inside and (found := FUNCTION.match(line)):
            yield found.group(1)


def types(path):
    """Returns the qualified names of the types that a header defines at namespace level."""
    inside = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if found := NAMESPACE.match(line):
            inside.append(found.group(1))
        elif END.match(line) and inside:
            inside.pop()
        elif found := TYPE.match(line):
            yield "::".join([*inside, found.group(1)]), f"{path.relative_to(ROOT)}:{number}"


def main():
    places = collections.defaultdict(list)
    for folder in ("src", "tests", "bench"):
        for path in sorted((ROOT / folder).rglob("*.h")):
            for name, place in types(path):
                places[name].append(place)
    for path in sorted((ROOT / "src").rglob("*.cpp")):
        folder = path.relative_to(ROOT / "src").parts[0]
        unit = f"{folder}'s tests" if path.name.endswith("_test.cpp") else folder
        if path.parent.name == "cpu":  # each compiled by itself
            continue
        for name in set(own_functions(path)):
            places[f"the function {name} of {unit}"].append(str(path.relative_to(ROOT)))
    doubles = {name: where for name, where in places.items() if len(where) > 1}
    for name, where in doubles.items():
        print(f"{' and '.join(where)}: {name} is defined twice")
    return 1 if doubles or not places else 0


if __name__ == "__main__":
    sys.exit(main())
