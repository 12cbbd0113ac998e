"""Parameters and their groups, in the forms that torch.optim and the authors' packages use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Union

import torch

Params = Union[torch.nn.Module, Iterable[torch.Tensor], Iterable[tuple[str, torch.Tensor]], Iterable[dict[str, Any]]]

# Wrappers put these parts into the names of a module's parameters.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# A group with one of these is a projected one, in the words of this package and of the authors'
# packages.
SUBSPACE_WORDS = frozenset({"rank", "update_proj_gap", "scale", "proj_type", "proj", "quant", "quant_n_bit"})
# Options that schedulers and trainers keep in groups.
HOST_KEYS = frozenset({"params", "param_names", "name", "initial_lr", "swa_lr", "group_name"})
REFUSED = frozenset({"maximize", "foreach", "fused", "capturable", "differentiable"})


def clean_name(name: str) -> str:
    """Returns the name without the parts of wrappers, because names key state and random
    streams."""
    parts = [part for part in name.split(".") if part not in _WRAPPERS]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] == "module" else parts)


def natural_order(member: tuple[str, Any, Any]) -> list[tuple[bool, int, str]]:
    """Returns the key by which "layers.10" follows "layers.9"."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", member[0])]


def as_groups(params: Params) -> list[dict[str, Any]]:
    """Returns the groups of a module, of tensors with or without names, or of groups."""
    if isinstance(params, torch.Tensor):
        raise ValueError("[optimizer] expected a module, parameters or groups, given one tensor")
    items: list[Any] = list(params.named_parameters() if isinstance(params, torch.nn.Module) else params)
    if not items:
        raise ValueError("[optimizer] expected at least one parameter, given none")
    if not isinstance(items[0], dict):
        items = [{"params": items}]
    groups = []
    for item in items:
        group = dict(item)
        members = group["params"]
        group["params"] = [members] if isinstance(members, torch.Tensor) else list(members)
        groups.append(group)
    return groups


def module_roles(params: Params) -> dict[str, int]:
    """Returns the roles that a module states by the types of its layers, by the names of the
    weights."""
    embedding = 1  # Role::embedding in core/parameter.h
    if not isinstance(params, torch.nn.Module):
        return {}
    return {clean_name(f"{name}.weight"): embedding for name, layer in params.named_modules()
            if isinstance(layer, torch.nn.Embedding)}


def in_our_words(group: Mapping[str, Any]) -> dict[str, Any]:
    """Translates the options of q-galore-torch and apollo-torch; the others have the same names."""
    ours = dict(group)
    if "proj" in ours:
        ours["subspace"] = ours.pop("proj")
    bits = ours.pop("quant_n_bit", None)
    if "quant" in ours or bits is not None:
        ours["proj_bits"] = int(bits or 4) if ours.pop("quant", True) else 0
    if "quant_group_size" in ours:
        ours["proj_group_size"] = ours.pop("quant_group_size")
    return ours


def check_keys(group: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuses options of a group that no optimizer here has."""
    allowed = HOST_KEYS | set(known)
    for key in group:
        if key in REFUSED and group[key]:
            raise ValueError(f"[optimizer] expected no '{key}' in a group: this optimizer has one form of each step")
        if key not in allowed and key not in REFUSED:
            raise ValueError(f"[optimizer] expected one of {', '.join(sorted(known))} in a group, given '{key}'")


def option_text(value: Any) -> str:
    """Writes a value as the option tables read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(option_text(item) for item in value)
    return repr(value) if isinstance(value, float) else str(value)
