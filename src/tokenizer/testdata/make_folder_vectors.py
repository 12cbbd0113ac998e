"""Makes folder_vectors.json: folders of a tokenizer as transformers 5 writes them, and a few that both
majors read, with what AutoTokenizer makes of them.

    V4/bin/python make_folder_vectors.py 4
    V5/bin/python make_folder_vectors.py 5

Run it once with each major; each run replaces its own half of the file. The second half holds every
folder of make_json_vectors.py after `save_pretrained` of transformers 5, and folders by hand whose
settings contradict their tokenizer.json. A tokenizer.json is stored without its vocabulary, which is
the shape's. Stored file: transformers 4.57.6 with tokenizers 0.22.2, and 5.24.0 with 0.23.3.
"""
import json
import pathlib
import sys
import tempfile

import transformers
from make_json_vectors import HERE, PRETRAINED, PRETRAINED_TEXTS, pretrained_rows, token
from transformers import AutoTokenizer

BACKEND = {"backend": "tokenizers", "tokenizer_class": "TokenizersBackend"}
CLEAN = {"clean_up_tokenization_spaces": True}
CONTRADICTION = {"add_prefix_space": True, "add_bos_token": True, "add_eos_token": True, "do_lower_case": False}
MASK = {"tokenizer_class": "RobertaTokenizer", "mask_token": "<mask>"}
PLAIN_PAD = [{"id": 340, **token("<pad>", normalized=True, special=False)}]

# name: shape, files of the folder, and tokens that are added to its tokenizer.json
BY_HAND = {
    4: {
        "mask_of_the_file": ("roberta", {"tokenizer_config": MASK}),
        "mask_of_the_class": ("roberta", {"tokenizer_config": {"tokenizer_class": "RobertaTokenizer"}}),
        "mask_given_twice": ("roberta", {"tokenizer_config": {**MASK, "mask_token": {"__type": "AddedToken", **token("<mask>", normalized=True)}}}),
        "mask_of_the_decoder": ("roberta", {"tokenizer_config": {
            **MASK, "added_tokens_decoder": {"4": token("<mask>", rstrip=True)}}}),
        "mask_of_the_class_beside_a_decoder": ("roberta", {"tokenizer_config": {
            "tokenizer_class": "RobertaTokenizer", "added_tokens_decoder": {"4": token("<mask>", rstrip=True)}}}),
        "eos_of_the_file": ("qwen2", {"tokenizer_config": {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>"}}),
        "eos_of_the_map": ("qwen2", {"tokenizer_config": {"tokenizer_class": "Qwen2Tokenizer"},
                                     "special_tokens_map": {"eos_token": token("<|im_end|>", lstrip=True)}}),
        "cleaned_bpe": ("llama3", {"tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast", **CLEAN}}),
        "named_not_special": ("gpt2", {"tokenizer_config": {"tokenizer_class": "GPT2Tokenizer", "pad_token": "<pad>"}, "added": PLAIN_PAD}),
    },
    5: {
        "contradiction": ("gpt2", {"tokenizer_config": {**BACKEND, **CONTRADICTION, "bos_token": "<|endoftext|>",
                                                        "eos_token": "<|endoftext|>"}}),
        "contradiction_llama": ("llama2", {"tokenizer_config": {**BACKEND, **CONTRADICTION, "bos_token": "<s>", "eos_token": "</s>"}}),
        "contradiction_bert": ("bert", {"tokenizer_config": {**BACKEND, **CONTRADICTION, "strip_accents": False}}),
        "mask": ("roberta", {"tokenizer_config": {**BACKEND, "mask_token": "<mask>"}}),
        "cleaned_bpe": ("llama3", {"tokenizer_config": {**BACKEND, **CLEAN}}),
        "cleaned_bpe_by_force": ("llama3", {"tokenizer_config": {
            **BACKEND, **CLEAN, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": True}}),
        "cleaned_word_piece": ("bert", {"tokenizer_config": {**BACKEND, **CLEAN}}),
        "cleaned_unigram": ("t5", {"tokenizer_config": {**BACKEND, **CLEAN}}),
        "split": ("qwen2", {"tokenizer_config": {**BACKEND, "split_special_tokens": True}}),
        "new_tokens": ("gpt2", {"tokenizer_config": {**BACKEND, "pad_token": "<pad>", "extra_special_tokens": ["<new>", "[MASK]"]}}),
        "named_in_the_vocabulary": ("gpt2", {"tokenizer_config": {**BACKEND, "pad_token": "th", "unk_token": "<|endoftext|>"}}),
        "named_not_special": ("gpt2", {"tokenizer_config": {**BACKEND, "pad_token": "<pad>"}, "added": PLAIN_PAD}),
        "by_config": ("llama2", {"config": {"model_type": "llama", "transformers_version": "5.24.0"}}),
        "normalized_token": ("bert", {"tokenizer_config": BACKEND, "added": [
            {"id": 340, "content": "NAÏVE", "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False},
            {"id": 341, "content": "Hello", "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": True}]}),
    },
}


def stages_of(path):
    stages = json.loads(path.read_text())
    tables = {key: stages["model"].pop(key, None) for key in ("vocab", "merges")}
    return stages, tables


def plain(tables):
    """A vocabulary and merges in one form. Scores may differ in their last bit after a round trip."""
    vocab, merges = tables["vocab"], tables["merges"] or []
    vocab = {entry[0]: i for i, entry in enumerate(vocab)} if isinstance(vocab, list) else vocab
    return vocab, [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in merges]


def make_folder(folder, shape, files):
    data = json.loads((HERE / "shapes" / f"{shape}.json").read_text())
    data["added_tokens"] += files.get("added", [])
    (folder / "tokenizer.json").write_text(json.dumps(data))
    for name, content in files.items():
        if name != "added":
            (folder / f"{name}.json").write_text(json.dumps(content))


def described(folder, shape):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    stages, tables = stages_of(folder / "tokenizer.json")
    _, of_shape = stages_of(HERE / "shapes" / f"{shape}.json")
    assert plain(tables) == plain(of_shape), shape
    files = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json") if path.name != "tokenizer.json"}
    return {"shape": shape, "stages": stages, "files": files, "vocab_size": len(tokenizer), "bos": tokenizer.bos_token_id,
            "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id, "rows": list(pretrained_rows(tokenizer))}


def by_hand(shape, files):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_folder(folder, shape, files)
        return described(folder, shape)


def saved_by_5(shape, files):
    with tempfile.TemporaryDirectory() as name:
        folder, saved = pathlib.Path(name) / "given", pathlib.Path(name) / "saved"
        folder.mkdir()
        make_folder(folder, shape, files)
        AutoTokenizer.from_pretrained(folder).save_pretrained(saved)
        return described(saved, shape)


def main():
    major = int(sys.argv[1])
    assert transformers.__version__.startswith(f"{major}."), transformers.__version__
    path = HERE / "folder_vectors.json"
    stored = json.loads(path.read_text()) if path.exists() else {"texts": PRETRAINED_TEXTS}
    folders = {name: by_hand(*value) for name, value in BY_HAND[major].items()}
    if major == 5:
        folders.update({f"saved_{name}": saved_by_5(*value) for name, value in PRETRAINED.items()})
    stored[f"transformers {major}"] = folders
    text = json.dumps(stored, ensure_ascii=True, separators=(",", ":"), sort_keys=True).replace('{"ids"', '\n{"ids"')
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
