"""Writes unicode_tables.inc: the properties that the Python package `tokenizers` gives every code
point.

    python make_unicode_tables.py > unicode_tables.inc

The package mixes tables of several Unicode versions (its regular expressions know 16, its
punctuation and normal forms are older), and system libraries have other versions; so the properties
are recorded here. They were made with tokenizers 0.22.2 and Python 3.11 (Unicode 14).
"""
import sys
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co".split()


def ranges(points):
    found = []
    for point in sorted(points):
        if found and found[-1][1] == point - 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return found


def matched(pattern):
    """Returns the code points that a regular expression of one character matches."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    text = "".join(map(chr, CODE_POINTS))
    left = set()
    for _, (begin, end) in split.pre_tokenize_str(text):
        left.update(CODE_POINTS[begin:end])
    return set(CODE_POINTS) - left


def kept_by(pre_tokenizer, build):
    """Returns the code points for which build(c) stays one piece."""
    return {c for c in CODE_POINTS if len(pre_tokenizer.pre_tokenize_str(build(chr(c)))) == 1}


def numbers(values):
    lines, line = [], " "
    for value in values:
        if len(line) + len(value) > 116:
            lines.append(line)
            line = " "
        line += " " + value + ","
    return "\n".join(lines + [line])


def print_ranges(name, points):
    print(f"const CodePointRange {name}[] = {{")
    print(numbers(f"{{0x{a:x}, 0x{b:x}}}" for a, b in ranges(points)))
    print("};")


def print_lowercase():
    lower = normalizers.Lowercase()
    runs = []  # first, last, distance, step
    for c in CODE_POINTS:
        low = lower.normalize_str(chr(c))
        if low == chr(c) or len(low) != 1:
            assert len(low) == 1 or c == 0x130
            continue
        distance = ord(low) - c
        for run in runs[-2:]:
            if run[2] == distance and c - run[1] in ((1, 2) if run[3] == 0 else (run[3],)):
                run[3], run[1] = c - run[1], c
                break
        else:
            runs.append([c, c, distance, 0])
    print("const LowercaseRun kLowercase[] = {")
    print(numbers(f"{{0x{a:x}, 0x{b:x}, {d}, {max(s, 1)}}}" for a, b, d, s in sorted(runs)))
    print("};")


def inert():
    """Returns the code points that the package's normal forms leave unchanged next to any
    neighbours.
    """
    forms = {name: getattr(normalizers, name)() for name in ("NFC", "NFD", "NFKC", "NFKD")}
    points = {0x11935, 0x11930}  # their compositions are newer than the package's table
    for c in CODE_POINTS:
        char = chr(c)
        samples = (char, "a\u0315" + char, char + "\u0334", "e" + char + "\u0301")
        # A code point that is unassigned in Python's tables has properties in later ones.
        if unicodedata.category(char) == "Cn" or any(
                form.normalize_str(s) != unicodedata.normalize(name, s) for name, form in forms.items() for s in samples):
            assert all(form.normalize_str(s) == s for form in forms.values() for s in samples[:3]), hex(c)
            points.add(c)
    return points


def print_younger():
    """Prints the general categories of code points that Unicode 14 lacks, according to the
    package's regular expressions.
    """
    rows, changed = [], []
    for category in CATEGORIES:
        points = matched(rf"\p{{{category}}}")
        young = {c for c in points if unicodedata.category(chr(c)) == "Cn"}
        changed += [(hex(c), category) for c in points - young if unicodedata.category(chr(c)) != category]
        rows += [(a, b, category) for a, b in ranges(young)]
    print("changed categories:", changed, file=sys.stderr)
    print("const CategoryRange kYoungerThanUnicode14[] = {")
    print(numbers(f'{{0x{a:x}, 0x{b:x}, "{category}"}}' for a, b, category in sorted(rows)))
    print("};")


def print_scripts():
    """Prints the runs of code points of one script, numbered. Script 0 belongs to any script; 1
    (Common) is not listed.
    """
    split = pre_tokenizers.UnicodeScripts()
    pieces = lambda text: len(split.pre_tokenize_str(text))
    known, runs = [ord("!")], []
    for c in CODE_POINTS:
        if pieces(chr(c)) == 0:
            script = 0
        elif runs and runs[-1][2] > 0 and pieces(chr(known[runs[-1][2] - 1]) + chr(c)) == 1:
            script = runs[-1][2]
        else:
            script = next((i + 1 for i, other in enumerate(known) if pieces(chr(other) + chr(c)) == 1), 0)
            if script == 0:
                known.append(c)
                script = len(known)
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == script:
            runs[-1][1] = c
        else:
            runs.append([c, c, script])
    print("const ScriptRun kScripts[] = {")
    print(numbers(f"{{0x{a:x}, 0x{b:x}, {s}}}" for a, b, s in runs if s != 1))
    print("};")


def main():
    print("// Generated by make_unicode_tables.py from the Python package tokenizers 0.22.2.")
    bert = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    strip = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    nfd = normalizers.NFD()
    kept = [c for c in CODE_POINTS if nfd.normalize_str(chr(c)) == chr(c)]
    removed = lambda form, points: {c for c in points if form.normalize_str("a" + chr(c)) == "a"}
    spaces = matched(r"\s")
    print_ranges("kWhiteSpace", spaces)
    words = kept_by(pre_tokenizers.Whitespace(), lambda c: "a" + c) - spaces
    print_ranges("kRustWord", words)
    print_ranges("kNumeric", {c for c in CODE_POINTS if len(pre_tokenizers.Digits(True).pre_tokenize_str("a" + chr(c))) == 2})
    print_ranges("kPunctuation",
                 {c for c in CODE_POINTS if len(pre_tokenizers.Punctuation().pre_tokenize_str("a" + chr(c))) == 2})
    print_ranges("kBertRemoved", removed(bert, CODE_POINTS))
    print_ranges("kNonspacingMark", removed(strip, kept))
    print_ranges("kCombiningMark", removed(normalizers.StripAccents(), CODE_POINTS))
    print_ranges("kNmtRemoved", removed(normalizers.Nmt(), CODE_POINTS))
    print_ranges("kNmtSpace", {c for c in CODE_POINTS if c != 32 and normalizers.Nmt().normalize_str(chr(c)) == " "})
    print_ranges("kInertInNormalForms", inert())
    print_younger()
    print_ranges("kHan", matched(r"\p{Han}"))
    print_lowercase()
    print_scripts()


if __name__ == "__main__":
    main()
