#!/usr/bin/env python3
"""Loads models written by the library with transformers, without a warning, and compares every
weight.

Usage: GALORE_SAVED_MODELS=DIR checkpoint_test --gtest_filter='*ModelsForTransformers*', then
       check-transformers.py DIR

Needs torch, safetensors and transformers 4.57 or later.
"""
import glob
import json
import logging
import os
import sys
import warnings

import torch
import transformers
from safetensors.torch import load_file


class Collector(logging.Handler):
    def __init__(self):
        super().__init__(level=logging.WARNING)
        self.messages = []

    def emit(self, record):
        # transformers 5 says so of every Phi-3 with longrope, its own included; the key that it asks for is an
        # error in transformers 4.
        if "`rope_parameters['original_max_position_embeddings']`" not in record.getMessage():
            self.messages.append(record.getMessage())


def check(directory, collector):
    collector.messages.clear()
    model, info = transformers.AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True, dtype="auto")
    for kind, names in info.items():
        assert not names, f"{directory}: {kind}: {names}"
    stored = {}
    for file in glob.glob(os.path.join(directory, "*.safetensors")):
        stored.update(load_file(file))
    state = model.state_dict()
    if "embed_out.weight" in stored and "lm_head.weight" in state:  # GPT-NeoX's head in transformers 5
        stored["lm_head.weight"] = stored.pop("embed_out.weight")
    for name, tensor in stored.items():
        assert torch.equal(state[name], tensor), f"{directory}: {name} differs"
    assert set(state) - set(stored) <= {"lm_head.weight"}, set(state) - set(stored)
    with open(os.path.join(directory, "config.json")) as file:
        config = json.load(file)
    for key, value in config.items():
        if key not in ("architectures", "torch_dtype", "rope_scaling") and hasattr(model.config, key):
            assert getattr(model.config, key) == value, key
    assert type(model).__name__ == config["architectures"][0]
    with open(os.path.join(directory, "generation_config.json")) as file:
        generation = json.load(file)
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if key in generation:
            assert getattr(model.generation_config, key) == generation[key], key
    if os.path.exists(os.path.join(directory, "tokenizer_config.json")):
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        assert len(tokenizer) <= model.config.vocab_size
    output = model.generate(torch.tensor([[1, 5, 7]]), max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert output.shape[1] > 3
    assert not collector.messages, f"{directory}: warnings: {collector.messages}"
    print(f"{directory}: {len(stored)} tensors, {model.dtype}, equal, no warnings")


def main():
    collector = Collector()
    transformers.logging.get_logger().addHandler(collector)
    warnings.simplefilter("error")
    # The folders must not end with a slash, about which transformers would warn.
    directories = sorted(entry.path for entry in os.scandir(sys.argv[1]) if entry.is_dir())
    assert directories, f"no models in {sys.argv[1]}"
    for directory in directories:
        check(directory, collector)


if __name__ == "__main__":
    main()
