"""Freezes the results of transformers for small random encoders with their heads.

Usage: python make_encoder_vectors.py OUTPUT_DIRECTORY [CASE...]

Made with transformers 4.57.6, torch 2.11.0 and safetensors, in fp32 on the CPU, with eager attention, one
thread and without dropout.

Each case becomes a folder: config.json and model.safetensors as transformers saves them, and
expected.safetensors with input_ids, attention_mask, token_type_ids, labels, the mean loss, and the
gradient of the mean loss for every weight ("gradient/<name>"). Classifiers have logits, and masked
language models the loss of every token (0 where it has no label).
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import (AutoModelForMaskedLM, AutoModelForSequenceClassification, BertConfig, DistilBertConfig,
                          RobertaConfig)

BERT = dict(vocab_size=61, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=24, initializer_range=0.2, classifier_dropout=0.3)
DISTIL = dict(vocab_size=61, dim=32, hidden_dim=44, n_layers=2, n_heads=4, max_position_embeddings=24,
              initializer_range=0.2)
CASES = {
    "bert_classifier": (BertConfig, dict(num_labels=3, layer_norm_eps=1e-5)),
    "bert_regression": (BertConfig, dict(num_labels=1, hidden_act="gelu_new", num_hidden_layers=1)),
    "bert_masked": (BertConfig, dict(masked=True)),
    "bert_masked_untied": (BertConfig, dict(masked=True, tie_word_embeddings=False, hidden_act="relu",
                                            num_hidden_layers=1)),
    "roberta_classifier": (RobertaConfig, dict(num_labels=2, type_vocab_size=1)),
    "roberta_masked": (RobertaConfig, dict(masked=True, type_vocab_size=1, num_hidden_layers=1)),
    "distilbert_classifier": (DistilBertConfig, dict(num_labels=4)),
    "distilbert_masked": (DistilBertConfig, dict(masked=True, n_layers=1)),
}


def build(folder, kind, changes, seed):
    changes = dict(changes)
    auto = AutoModelForMaskedLM if changes.pop("masked", False) else AutoModelForSequenceClassification
    config = kind(**{**(DISTIL if kind is DistilBertConfig else BERT), **changes})
    torch.manual_seed(seed)
    model = auto.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.1)
            elif weight.dim() == 1:
                weight.normal_(1, 0.1)
    model.save_pretrained(folder)
    return auto.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def inputs_of(model, seed):
    generator = torch.Generator().manual_seed(seed + 100)
    pad = model.config.pad_token_id
    ids = torch.randint(2, 61, (4, 13), generator=generator)
    mask = torch.arange(13) < torch.tensor([[13], [5], [9], [2]])
    types = torch.arange(13) >= torch.tensor([[6], [3], [13], [1]])
    ids[~mask] = pad
    ids[0, 4] = pad  # a visible token may be the padding token
    given = {"input_ids": ids, "attention_mask": mask.long()}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        given["token_type_ids"] = (types & mask).long()
    return given, generator


def labels_of(model, given, generator):
    ids = given["input_ids"]
    if "MaskedLM" in type(model).__name__:
        labels = torch.randint(0, 61, ids.shape, generator=generator)
        labels[torch.rand(ids.shape, generator=generator) < 0.6] = -100
        labels[given["attention_mask"] == 0] = -100
        return labels
    if model.config.num_labels == 1:
        return torch.randn(len(ids), generator=generator)
    return torch.randint(0, model.config.num_labels, (len(ids),), generator=generator)


def make_case(folder, kind, changes, seed):
    model = build(folder, kind, changes, seed)
    given, generator = inputs_of(model, seed)
    labels = labels_of(model, given, generator)
    out = model(**given, labels=labels)
    out.loss.backward()
    expected = {**given, "labels": labels, "loss": out.loss.detach().reshape(1)}
    if labels.dim() == 2:
        expected["losses"] = torch.nn.functional.cross_entropy(out.logits.detach().flatten(0, 1), labels.flatten(),
                                                               reduction="none")
    else:
        expected["logits"] = out.logits.detach()
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            expected["gradient/" + name] = weight.grad
    save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")
    (folder / "generation_config.json").unlink(missing_ok=True)


def main():
    torch.set_num_threads(1)
    root = pathlib.Path(sys.argv[1])
    for seed, (name, (kind, changes)) in enumerate(CASES.items()):
        if len(sys.argv) == 2 or name in sys.argv[2:]:
            make_case(root / name, kind, changes, seed)


if __name__ == "__main__":
    main()
