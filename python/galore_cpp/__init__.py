"""Optimizers that train all parameters of a model in little memory: GaLore and its family, exact
and resumable.

    import galore_cpp as galore
    opt = galore.optim.GaLoreAdamW8bit(model.named_parameters(), lr=1e-3, rank=128, layerwise=True)
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
_PARTS = ("hf", "lightning", "optim")


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"galore_cpp.{name}")
    raise AttributeError(f"module 'galore_cpp' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PARTS])
