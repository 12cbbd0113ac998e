"""Makes edge_vectors.json: tokenizers of a few tokens for what texts alone seldom reach, and what `tokenizers` says.

    python make_edge_vectors.py

Equal ranks in both ways of merging, pairs that are listed twice, spaces around added tokens, and where Metaspace's
scheme `first` puts its character. Stored file: tokenizers 0.22.2.
"""
import json
import pathlib

from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
LETTERS = [*"abcx.", "\u2581", " ", "\n"]
LONG = 40  # symbols; beyond 32 merging goes by a heap


def bpe(merges, more=()):
    tokens = [*LETTERS, *("".join(pair) for pair in merges), *more]
    return {"type": "BPE", "vocab": {token: i for i, token in enumerate(dict.fromkeys(tokens))}, "merges": merges}


def added(content, number, **more):
    return {"id": 100 + number, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": False, **more}


def metaspace(scheme="first", split=True):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": split}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


RUNS = [("a" * n, "ab" * n, "ba" * n + "b", "aab" * n, "abc" * n) for n in (1, 2, 3, 4, 5, 7, LONG - 1, LONG)]
RUN_TEXTS = [text for run in RUNS for text in run]
STRIP_TEXTS = ["l", " l", "a l", "a  l", "a \n l", "l l", "r l", "r  l", "r \n l b", "b r  b", "n l", "n  l", "n\n l", " r", "r ", "ll", "rl",
               "lr", "r  r", "l  l", " b ", "b  b", "a b r l", "  l  r  ", "wl", "w l", "l w", "aw", "w a", ".w.", "w  l", "\u3000l", "r\u2003l"]
FIRST_TEXTS = ["", " ", "a", " a", "a b", "  a b ", "\u2581a", "\na b", "<s>", "<s>a", "<s> a", "a<s>b", "a <s> b", " <s>a", "<s><s>a", "xa b", "x", "x a",
               "xx a", ". a", ".a b", "a.b c", "a . b"]
SEVERAL = [*"fi12e", "\u2044", "\u0301", "\u00e9", "\u0307", "\u0130", "\ufb01", "\u00bd", "\u4f60"]
SEVERAL_TEXTS = ["\ufb01a", "a\ufb01", "\u00bdx", " \u00bd", "\u00e9a", "e\u0301a", "\u0301a", "\u0130a", "xa", "ax", "xxa", "\u4f60a", "a\u4f60",
                 "<s>\ufb01", "\ufb01<s>x", ""]
SPACED = [added("l", 0, lstrip=True), added("r", 1, rstrip=True), added("b", 2, lstrip=True, rstrip=True), added("n\n", 3), added("w", 4, single_word=True)]
START = [added("<s>", 0, special=True)]
STRIP = {"type": "Strip", "strip_left": True, "strip_right": False}
NO_X = {"type": "Replace", "pattern": {"String": "x"}, "content": ""}
DIGITS = {"type": "Punctuation", "behavior": "Isolated"}

CASES = {
    "one_merge": (bpe([["a", "a"]]), {}, RUN_TEXTS),
    "equal_ranks": (bpe([["a", "a"], ["aa", "a"], ["aa", "aa"], ["a", "b"], ["ab", "ab"]]), {}, RUN_TEXTS),
    "two_ways": (bpe([["a", "b"], ["b", "a"], ["ab", "a"], ["b", "ab"]]), {}, RUN_TEXTS),
    "listed_twice": (bpe([["a", "b"], ["b", "c"], ["a", "b"], ["ab", "c"], ["a", "bc"]]), {}, RUN_TEXTS),
    "spaces": (bpe([]), {"added_tokens": SPACED}, STRIP_TEXTS),
    "spaces_normalized": (bpe([]), {"added_tokens": [{**token, "normalized": True} for token in SPACED]}, STRIP_TEXTS),
    "spaces_mixed": (bpe([]), {"added_tokens": [{**token, "normalized": i % 2 == 0} for i, token in enumerate(SPACED)],
                               "normalizer": {"type": "Lowercase"}}, STRIP_TEXTS),
}
for name, more in {
        "first": {"pre_tokenizer": metaspace()},
        "first_whole": {"pre_tokenizer": metaspace(split=False)},
        "first_after_split": {"pre_tokenizer": sequence(DIGITS, metaspace())},
        "first_after_blanks": {"pre_tokenizer": sequence({"type": "WhitespaceSplit"}, metaspace())},
        "first_stripped": {"pre_tokenizer": metaspace(), "normalizer": STRIP},
        "first_shortened": {"pre_tokenizer": metaspace(), "normalizer": NO_X},
        "first_prepended": {"pre_tokenizer": metaspace(), "normalizer": {"type": "Prepend", "prepend": "\u2581"}},
        "first_twice": {"pre_tokenizer": sequence(metaspace(), metaspace())},
        "always": {"pre_tokenizer": metaspace("always")},
}.items():
    CASES[name] = (bpe([["\u2581", "a"]]), {"added_tokens": START, **more}, FIRST_TEXTS)
for name, normalizer in {
        "as_it_is": None, "nfkc": {"type": "NFKC"}, "nfd": {"type": "NFD"}, "nfc": {"type": "NFC"}, "lowercase": {"type": "Lowercase"},
        "replaced": {"type": "Replace", "pattern": {"String": "x"}, "content": "ab"}, "prepended": {"type": "Prepend", "prepend": "bc"},
        "bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": True, "lowercase": True},
        "stripped": {"type": "Sequence", "normalizers": [STRIP, {"type": "NFKC"}]}}.items():
    CASES[f"first_of_several_{name}"] = (bpe([], SEVERAL), {
        "added_tokens": START, "normalizer": normalizer,
        "pre_tokenizer": sequence({"type": "FixedLength", "length": 1}, metaspace())}, SEVERAL_TEXTS)


def main():
    stored = {}
    for name, (model, more, texts) in CASES.items():
        data = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
                "post_processor": None, "decoder": None, "model": model, **more}
        tokenizer = Tokenizer.from_str(json.dumps(data))
        stored[name] = {"tokenizer": data, "rows": [[text, tokenizer.encode(text).ids] for text in texts]}
    text = json.dumps(stored, ensure_ascii=True, separators=(",", ":")).replace("}},", "}},\n").replace('"rows"', '\n"rows"')
    (HERE / "edge_vectors.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
