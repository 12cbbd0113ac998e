"""Optimizers by the name of a preset, or by a composition of parts."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from galore_cpp.optim._groups import option_text
from galore_cpp.optim._optimizer import GaloreOptimizer, Params
from galore_cpp.optim._presets import CLASSES

_SUFFIX = "_layerwise"
_COMMON = ("target_modules", "layerwise", "max_grad_norm", "layerwise_clipping", "gradient", "grad_norm",
           "basis_gradient", "rounding", "master_weights", "seed")


def from_name(params: Params, optim: str, **options: Any) -> GaloreOptimizer:
    """Makes the optimizer of a preset's name, as "galore_adamw_8bit" or
    "galore_adamw_8bit_layerwise"."""
    name = optim.lower().replace("-", "_")
    if name.endswith(_SUFFIX):
        name = name[: -len(_SUFFIX)]
        options = {"layerwise": True, **options}
    if name not in CLASSES:
        near = difflib.get_close_matches(name, CLASSES, 1) or sorted(CLASSES)[:1]
        raise ValueError(f"[optim] unknown optimizer '{optim}'; the nearest known one is '{near[0]}'")
    kind = CLASSES[name]
    known = inspect.signature(kind).parameters
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, 1) or ["lr"]
            raise ValueError(f"[optimizer] unknown option '{option}' of {name}; the nearest known one is '{near[0]}'")
    return kind(params, **options)


class _Composed(GaloreOptimizer):
    """An optimizer of from_spec(), with options in the words of the option tables."""


def from_spec(params: Params, spec: Mapping[str, Any]) -> GaloreOptimizer:
    """Makes an optimizer of parts: {"method": "muon", "storage": "blockwise_8bit", "lr": 2e-2}.

    The keys are those of a composition (rule, storage, subspace, residual, limiter, or method) and
    the options of its parts in their own words (adam_beta1, rank, ...), with lr, weight_decay and
    the options of every class here. {"optim": name, ...} is from_name().
    """
    given = dict(spec)
    if "optim" in given:
        return from_name(params, given.pop("optim"), **given)
    common = {key: given.pop(key) for key in _COMMON if key in given}
    common.setdefault("target_modules", "all-linear")
    rates = {"lr": given.pop("lr", 1e-3), "weight_decay": given.pop("weight_decay", 0.0)}
    parts = {key: given.pop(key) for key in ("rule", "method", "storage", "subspace", "residual", "limiter")
             if key in given}
    if not {"rule", "method"} & parts.keys():
        raise ValueError("[optimizer] expected a specification with 'rule', 'method' or 'optim', given none of them")
    composition = ",".join(f"{key}={option_text(value)}" for key, value in parts.items())
    return _Composed(params, composition, {**rates, **given}, common)
