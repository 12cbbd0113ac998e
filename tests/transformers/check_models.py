"""Loads the models of write_models.py with transformers and compares them with the program.

    python check_models.py FOLDER

Weights load without a warning and without a missing or unused name; loss and greedy ids are the
program's, and so are the ids of hostile texts.
"""
import json
import logging
import pathlib
import sys
import unicodedata
import warnings

import torch
import transformers

# Sums of 32 products in fp32 in another order.
TOLERANCE = 2e-5


class Collector(logging.Handler):
    def __init__(self):
        super().__init__(level=logging.WARNING)
        self.messages = []

    def emit(self, record):
        # transformers 5 says so of every Phi-3 with longrope, its own included; the key that it
        # asks for is an error in 4.
        if "`rope_parameters['original_max_position_embeddings']`" not in record.getMessage():
            self.messages.append(record.getMessage())


def check_model(directory, expected):
    # The other attention of version 4 leaves out the soft cap of Gemma 2.
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        directory, output_loading_info=True, dtype="float32", attn_implementation="eager")
    for kind, names in info.items():
        assert not names, f"{directory}: {kind}: {names}"
    rows = torch.tensor(expected["rows"])
    with torch.no_grad():
        logits = model(input_ids=rows).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()
        prompt = torch.tensor([expected["prompt"]])
        greedy = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False, pad_token_id=0)
    assert abs(loss - expected["loss"]) < TOLERANCE * abs(loss), f"{directory}: loss {loss}, the program's {expected['loss']}"
    found = greedy[0, prompt.shape[1]:].tolist()
    assert found == expected["greedy"], f"{directory}: greedy ids {found}, the program's {expected['greedy']}"


def check_tokenizer(directory, expected):
    """Version 5 takes Qwen2Tokenizer for these model types, whatever class the folder names, and so
    normalizes texts by NFC and adds a token <|endoftext|>. Texts that this changes are left out there.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    by_model_type = directory.name.startswith("qwen") and not transformers.__version__.startswith("4.")
    for text, ids in zip(expected["texts"], expected["ids"], strict=True):
        if by_model_type and ("<|endoftext|>" in text or unicodedata.normalize("NFC", text) != text):
            continue
        found = tokenizer(text)["input_ids"]
        assert found == ids, f"{directory}: {text!r}: ids {found}, the program's {ids}"


def main():
    collector = Collector()
    transformers.logging.get_logger().addHandler(collector)
    transformers.logging.disable_progress_bar()
    warnings.simplefilter("error")
    folder = pathlib.Path(sys.argv[1])
    names = sorted(path.stem for path in (folder / "expected").iterdir())
    assert names
    for name in names:
        expected = json.loads((folder / "expected" / f"{name}.json").read_text())
        check_model(folder / "models" / name, expected)
        check_tokenizer(folder / "models" / name, expected)
        assert not collector.messages, f"{name}: warnings: {collector.messages}"
    print(f"transformers {transformers.__version__}: {len(names)} models and tokenizers are equal")


if __name__ == "__main__":
    main()
