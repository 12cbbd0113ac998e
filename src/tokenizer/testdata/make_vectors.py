"""Makes the frozen tokenizer vectors: a small SentencePiece model and what transformers says about it.

    python make_vectors.py TEXT_FILE

TEXT_FILE is any English text (the stored files were made from the tiny Shakespeare text). Writes, beside this
script, small.model (byte pair encoding, byte fallback, identity normalization), nfkc.model (unigram, some
rules of NFKC) and vectors.json: for each configuration and text the ids with and without special tokens from
AutoTokenizer (the fast class), and decode of them. The slow class is compared and differences are printed.
Stored files: sentencepiece 0.2, transformers 4.57.1, tokenizers 0.22.2.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import sentencepiece
from transformers import AutoTokenizer, LlamaTokenizer

HERE = pathlib.Path(__file__).resolve().parent
CONFIGS = {
    "default": {"tokenizer_class": "LlamaTokenizer"},
    "legacy": {"tokenizer_class": "LlamaTokenizer", "legacy": True, "add_eos_token": True},
    "new": {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": False},
    "pad": {"tokenizer_class": "LlamaTokenizerFast", "legacy": False, "pad_token": "<pad>",
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]},
    "split": {"tokenizer_class": "LlamaTokenizer", "legacy": True, "split_special_tokens": True},
}
TEXTS = [
    "", " ", "  ", "\n", "Hello world", " Hello world", "  two  spaces ", "First Citizen:\nBefore we proceed",
    "tabs\tand\r\nline ends\n\n\n", "na\u00efve caf\u00e9 \u4f60\u597d \U0001f600!", "\u2581raw word start\u2581 x \u2581\u2581y",
    "<s>", "</s>", "a<s>b</s> c <unk>d", "<s> leading", "x <pad> y<|im_start|>user\nhi<|im_end|>", "12345 3.14159",
    "e\u0301 combining \ufb01 ligature \u00a0 nbsp\u3000wide", "\x00nul\x01", "        indented code {\n    }\n",
    "The quality of mercy is not strained; it droppeth as the gentle rain from heaven.", "don't won't I'm .",
    "<0x41> <s", "\u0130stanbul \U00010348 \ufffd \u200b zero",
]
# A few of NFKC's rules: the whole table is 240 kB.
RULES = [("FB01", "66 69"), ("65 301", "E9"), ("A0", "20"), ("3000", "20"), ("9", "20"), ("A", "20"), ("200B", "20")]


def train(text, name, **options):
    sentencepiece.SentencePieceTrainer.train(
        input=text, model_prefix=str(HERE / name), byte_fallback=True, minloglevel=2, **options)
    (HERE / f"{name}.vocab").unlink()


def rows(directory):
    fast = AutoTokenizer.from_pretrained(directory)
    slow = LlamaTokenizer.from_pretrained(directory)
    for text in TEXTS:
        ids = fast(text)["input_ids"]
        if slow(text)["input_ids"] != ids:
            print(f"slow class differs: {directory.name} {text!r}: {slow(text)['input_ids']} != {ids}")
        yield {
            "text": text,
            "ids": ids,
            "plain_ids": fast(text, add_special_tokens=False)["input_ids"],
            "decoded": fast.decode(ids),
            "decoded_plain": fast.decode(ids, skip_special_tokens=True),
        }


def main():
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text.txt"
        # Indented lines, so that runs of blanks become pieces.
        indented = "".join(f"{' ' * (i % 9)}if  {i}:{' ' * (i % 5)}end\n" for i in range(2000))
        text.write_text(pathlib.Path(sys.argv[1]).read_text() + indented)
        make(str(text))


def byte_ids():
    """Whole, cut and impossible UTF-8 in byte tokens (byte b is id 3 + b), alone and between words."""
    for data in (b"\xe4\xbd\xa0", b"\xe4\xbd", b"\xff\xfe", b"a\xe4\xbdb", b"\xf0\x9f\x98\x80\x80", b"\xc0\xaf", b"\xed\xa0\x80"):
        ids = [3 + byte for byte in data]
        yield ids
        yield [1, 300, *ids, 301, *ids[:1], 2]


def make(text):
    train(text, "small", model_type="bpe", vocab_size=500, normalization_rule_name="identity",
          remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True)
    with tempfile.TemporaryDirectory() as folder:
        rules = pathlib.Path(folder) / "rules.tsv"
        rules.write_text("".join(f"{source}\t{target}\n" for source, target in RULES))
        train(text, "nfkc", model_type="unigram", vocab_size=400, normalization_rule_tsv=str(rules))
    vectors = []
    for name, config in CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            directory = pathlib.Path(folder) / name
            directory.mkdir()
            shutil.copy(HERE / "small.model", directory / "tokenizer.model")
            (directory / "tokenizer_config.json").write_text(json.dumps(config))
            fast = AutoTokenizer.from_pretrained(directory)
            vectors.append({"name": name, "config": config, "length": len(fast), "bos": fast.bos_token_id,
                            "eos": fast.eos_token_id, "pad": fast.pad_token_id, "rows": list(rows(directory)),
                            "decodes": [{"ids": ids, "text": fast.decode(ids)} for ids in byte_ids()]})
    nfkc = sentencepiece.SentencePieceProcessor(model_file=str(HERE / "nfkc.model"))
    library = [{"text": text, "ids": nfkc.encode(text)} for text in TEXTS if "<" not in text]
    text = json.dumps({"transformers": vectors, "nfkc": library}, ensure_ascii=True, separators=(",", ":"))
    (HERE / "vectors.json").write_text(text.replace('{"text"', '\n{"text"') + "\n")


main()
