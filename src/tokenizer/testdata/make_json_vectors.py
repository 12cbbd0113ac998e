"""Makes the frozen vectors of tokenizer.json: small tokenizers of every shape and what the Python packages say.

    python make_json_vectors.py TEXT_FILE

TEXT_FILE is any English text (the stored files were made from the tiny Shakespeare text). Writes, beside this script,
shapes/NAME.json (the tokenizers of tests/tokenizers/shapes.py with small vocabularies, where they are missing), json_vectors.json (ids and
decoded text of each from tokenizers) and pretrained_vectors.json (folders of configuration files around them, and
what AutoTokenizer makes of those), and trained_bpe.json (merges learned
from a text). Long texts are kept as number and sum of their ids.
Stored files: tokenizers 0.22.2, transformers 4.57.6.
"""
import json
import pathlib
import sys
import tempfile

from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests" / "tokenizers"))
import hostile_texts  # noqa: E402
import shapes  # noqa: E402

LONG = 100  # ids
PRETRAINED_TEXTS = ["", " ", "Hello world", " two  blanks ", "naïve CAFÉ 你好!", "don't I'm . really ?", "<s> a </s>", "x <mask> y<pad>",
                    "[CLS] [MASK] a", "<|endoftext|>a <|im_end|>", "<|begin_of_text|> b", "new <new> token", "Line\nends\r\n\n", "12345 3.14"]


def token(content, **more):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True, **more}


# name: shape, then the files of the folder
PRETRAINED = {
    "gpt2": ("gpt2", {"tokenizer_config": {"tokenizer_class": "GPT2Tokenizer"}}),
    "gpt2_prefix": ("gpt2", {"tokenizer_config": {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}}),
    "gpt2_no_prefix": ("gpt2_prefix_space", {"tokenizer_config": {"tokenizer_class": "GPT2TokenizerFast"}}),
    "llama3": ("llama3", {"tokenizer_config": {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>",
        "clean_up_tokenization_spaces": True, "add_bos_token": False,
        "added_tokens_decoder": {"0": token("<|begin_of_text|>"), "1": token("<|eot_id|>"),
                                 "9000": token("<new>", lstrip=True)}}}),
    "qwen2": ("qwen2", {"tokenizer_config": {
        "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None,
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<new>"], "split_special_tokens": False}}),
    "qwen2_split": ("qwen2", {"tokenizer_config": {"tokenizer_class": "Qwen2Tokenizer", "split_special_tokens": True}}),
    "llama": ("llama2", {"tokenizer_config": {"tokenizer_class": "LlamaTokenizer", "add_eos_token": True}}),
    "llama_no_bos": ("llama2_new", {"tokenizer_config": {
        "tokenizer_class": "LlamaTokenizerFast", "add_bos_token": False, "pad_token": "<pad>", "legacy": False}}),
    "llama_by_model": ("llama2", {"config": {"model_type": "llama"}}),
    "llama_legacy": ("llama2", {"tokenizer_config": {"tokenizer_class": "LlamaTokenizer"},
                                "special_tokens_map": {"pad_token": token("<pad>"), "eos_token": "</s>"},
                                "added_tokens": {"<new>": 350, "<pad>": 351}}),
    "gemma": ("gemma", {"tokenizer_config": {"tokenizer_class": "GemmaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}}),
    "neox": ("gpt2", {"tokenizer_config": {"tokenizer_class": "GPTNeoXTokenizer", "add_bos_token": True}}),
    "bert": ("bert", {"tokenizer_config": {"tokenizer_class": "BertTokenizer"}}),
    "bert_cased": ("bert", {"tokenizer_config": {"tokenizer_class": "BertTokenizer", "do_lower_case": False,
                                                 "strip_accents": True, "tokenize_chinese_chars": False}}),
    "bert_limits": ("bert_cased", {"tokenizer_config": {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": False}}),
    "roberta": ("roberta", {"tokenizer_config": {"tokenizer_class": "RobertaTokenizer", "mask_token": "<mask>"}}),
    "roberta_prefix": ("roberta", {"tokenizer_config": {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True},
                                   "special_tokens_map": {"mask_token": token("<mask>", lstrip=True)}}),
    "plain": ("word_level", {"tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}}),
    "t5": ("t5", {"tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>"}}),
}


def compact(ids):
    return ids if len(ids) <= LONG else {"count": len(ids), "sum": sum(i * (n % 9 + 1) for n, i in enumerate(ids))}


def row(text, ids, plain, decoded, skipped):
    result = {"ids": compact(ids)}
    if plain != ids:
        result["plain"] = compact(plain)
    if len(ids) <= LONG:
        if decoded != text:
            result["decoded"] = decoded
        if skipped != decoded:
            result["skipped"] = skipped
    return result


def shape_rows(tokenizer, texts):
    for text in texts:
        ids = tokenizer.encode(text).ids
        yield row(text, ids, tokenizer.encode(text, add_special_tokens=False).ids,
                  tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids))


def pair_row(tokenizer):
    pair = tokenizer.encode("the king", "my lord")
    return {"ids": pair.ids, "type_ids": pair.type_ids}


def pretrained_rows(tokenizer):
    for text in PRETRAINED_TEXTS:
        ids = tokenizer(text)["input_ids"]
        yield row(text, ids, tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.decode(ids),
                  tokenizer.decode(ids, skip_special_tokens=True))


def pretrained(shape, files):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "tokenizer.json").write_bytes((HERE / "shapes" / f"{shape}.json").read_bytes())
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return {"shape": shape, "files": files, "vocab_size": len(tokenizer), "bos": tokenizer.bos_token_id,
                "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id, "rows": list(pretrained_rows(tokenizer))}


def trained(text):
    """What the package learns from a text, line by line: `galore train-tokenizer` learns the same."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = shapes.split(shapes.QWEN2)
    lines = [line + "\n" for line in text.split("\n")[:-1]]
    tokenizer.train_from_iterator(lines, shapes.byte_level_trainer(
        min_frequency=2, special_tokens=["<|begin_of_text|>", "<|end_of_text|>"]))
    return {"text": "".join(lines), "model": json.loads(tokenizer.to_str())["model"]}


def write(name, value):
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace('{"ids"', '\n{"ids"')
    (HERE / name).write_text(text + "\n")


def main():
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")[:200_000]
    shapes.VOCABULARY = 340
    (HERE / "shapes").mkdir(exist_ok=True)
    texts = hostile_texts.texts(60, seed=5)
    vectors = {"texts": texts, "shapes": {}}
    for make in shapes.SHAPES:
        path = HERE / "shapes" / f"{make.__name__}.json"
        if not path.exists():  # training is not the same twice
            path.write_text(json.dumps(json.loads(make(text).to_str()), separators=(",", ":")) + "\n")
        tokenizer = Tokenizer.from_file(str(path))
        vectors["shapes"][make.__name__] = {"vocab_size": tokenizer.get_vocab_size(), "pair": pair_row(tokenizer),
                                            "rows": list(shape_rows(tokenizer, texts))}
    write("json_vectors.json", vectors)
    shapes.VOCABULARY = 500
    write("trained_bpe.json", trained(text[:6000] + "aaaa aaaaa aaaaaa\n" + "\n".join(shapes.OTHER_SCRIPTS * 2)))
    write("pretrained_vectors.json", {"texts": PRETRAINED_TEXTS,
                                      "folders": {name: pretrained(*value) for name, value in PRETRAINED.items()}})


if __name__ == "__main__":
    main()
