"""Applies an optimizer to recorded gradients."""

from __future__ import annotations

import os
import pathlib
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any, Union

import torch

from galore_cpp import _library
from galore_cpp._worker import keywords
from galore_cpp.optim._safetensors import write

Trace = Union[str, "os.PathLike[str]", Mapping[str, torch.Tensor]]


def replay(trace: Trace, optim: str = "galore_adamw", **options: Any) -> dict[str, torch.Tensor]:
    """Applies an optimizer to recorded gradients, as `galore replay` does, to compare it with other
    code.

    trace is a safetensors file or a mapping with weights/<name> and gradients/<step>/<name> for the
    steps from 0 on. Returns weights/<step>/<name>, the weights after each step. options are those
    of the program: optim_args, learning_rate, adam_beta1, adam_beta2, adam_epsilon, weight_decay,
    ...
    """
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(trace, Mapping):
            path = pathlib.Path(folder) / "trace.safetensors"
            write(path, trace)
        else:
            path = pathlib.Path(trace)
        chosen = keywords({"optim": optim, **options})
        weights, notices = _library.call_trainer(_library.trainer_function("replay"), str(path), chosen)
    for notice in notices[1:]:  # the first one lists the projected weights
        warnings.warn(notice, stacklevel=2)
    return dict(weights)
