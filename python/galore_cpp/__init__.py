"""Optimizers that train all parameters of a model in little memory, GaLore and its family, exact
and resumable; and the trainer of galore.cpp, its tokenizers and its models.

    import galore_cpp as galore
    opt = galore.optim.GaLoreAdamW8bit(model.named_parameters(), lr=1e-3, rank=128, layerwise=True)
    result = galore.train({"model_size": "60m", "train_file": "text.jsonl", "tokenizer_name": "tokenizer"})
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galore_cpp import optim as optim
    from galore_cpp._model import Chat as Chat
    from galore_cpp._model import Model as Model
    from galore_cpp._model import load_model as load_model
    from galore_cpp._replay import replay as replay
    from galore_cpp._tokenizer import Tokenizer as Tokenizer
    from galore_cpp._train import TrainResult as TrainResult
    from galore_cpp._train import train as train

__version__ = "0.1.0"
_PARTS = ("hf", "lightning", "optim")
_HOMES = {"Chat": "_model", "Model": "_model", "load_model": "_model", "replay": "_replay", "Tokenizer": "_tokenizer",
          "TrainResult": "_train", "train": "_train"}


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"galore_cpp.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"galore_cpp.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'galore_cpp' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PARTS, *_HOMES])
