"""The bytes of an optimizer before it is made."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch

from galore_cpp.optim._groups import Params, as_groups
from galore_cpp.optim._presets import CLASSES
from galore_cpp.optim._spec import from_name

_OWNERS = ("weights", "master_weights", "gradients", "moments", "bases", "activations", "workspace")


class Plan(dict[str, dict[str, int]]):
    """Bytes by optimizer and owner; printed as a table in MiB."""

    def __str__(self) -> str:
        owners = [owner for owner in _OWNERS if any(column[owner] for column in self.values())]
        width = max(map(len, self), default=0) + 2
        rows = [" " * width + "".join(f"{owner:>16}" for owner in [*owners, "total"])]
        for name, column in self.items():
            numbers = [column[owner] for owner in owners] + [sum(column.values())]
            rows.append(f"{name:<{width}}" + "".join(f"{number / 2**20:>12.2f} MiB" for number in numbers))
        return "\n".join(rows)


def _on_meta(member: Any) -> Any:
    if isinstance(member, tuple):
        return member[0], _on_meta(member[1])
    if isinstance(member, torch.nn.Module):  # a copy with the same layers
        return copy.deepcopy(member, {id(parameter): _on_meta(parameter) for parameter in member.parameters()})
    empty = torch.empty_like(member, device="meta", memory_format=torch.contiguous_format)
    made = torch.nn.Parameter(empty, requires_grad=member.requires_grad)
    if member.requires_grad:
        made.grad = torch.empty_like(made)
    return made


def plan(params: Params, *optims: str, **options: Any) -> Plan:
    """Returns the bytes of the weights, and of the state and the gradients of each optimizer, by
    owner.

    The options go to every optimizer that has them. Nothing is allocated: one update runs on
    tensors without memory. The gradients of a layer-wise run are one gradient of the largest weight
    beside the engine's buffers; otherwise those of all weights.
    """
    found = Plan()
    for optim in optims:
        layerwise = optim.endswith("_layerwise") or bool(options.get("layerwise"))
        preset = optim.removesuffix("_layerwise")
        known = inspect.signature(CLASSES[preset]).parameters if preset in CLASSES else options
        groups = [] if isinstance(params, torch.nn.Module) else as_groups(params)
        for group in groups:
            group["params"] = [_on_meta(member) for member in group["params"]]
        chosen = {key: value for key, value in options.items() if key in known and key != "layerwise"}
        if not layerwise:
            chosen.pop("max_grad_norm", None)
        optimizer = from_name(groups or _on_meta(params), preset, **chosen)
        optimizer.step()
        column = optimizer.memory()
        trained = [member for group in optimizer.param_groups for member in group["params"]]
        sizes = [member.numel() * member.element_size() for member in trained if member.requires_grad]
        column["weights"] += sum(member.numel() * member.element_size() for member in trained)
        column["gradients"] += max(sizes) if layerwise else sum(sizes)
        found[optim] = column
    return found
