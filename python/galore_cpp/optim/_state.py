"""The state of an optimizer in torch's form, and in the file of the program."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch

from galore_cpp.optim._groups import clean_name

# The first group of a state dict also holds the format's number and these scalars of the engine.
FORMAT_KEY = "galore_format"
FORMAT = 1
ENGINE_SCALARS = ("num_updates", "previous_norm")
_ENGINE = "optimizer."


def split_name(name: str, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Splits "<parameter>.<part>.<tensor>" after the longest name of a parameter."""
    end = len(name)
    while (end := name.rfind(".", 0, end)) > 0:
        if name[:end] in parameters:
            return name[:end], name[end + 1:]
    return "", name


def by_parameter(values: Mapping[str, torch.Tensor], parameters: Mapping[str, Any]) -> dict[Any, dict[str, torch.Tensor]]:
    """Returns the engine's state by parameter, without the scalars of the engine itself."""
    state: dict[Any, dict[str, torch.Tensor]] = defaultdict(dict)
    for name, value in values.items():
        parameter, key = split_name(name, parameters)
        if parameter:
            state[parameters[parameter]][key] = value
    return state


def engine_scalars(values: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Returns the scalars of the engine by their short names."""
    return {name: values[_ENGINE + name].item() for name in ENGINE_SCALARS}


def saved_names(groups: list[dict[str, Any]], ours: list[list[str]]) -> dict[int, str]:
    """Returns our name of each saved parameter: by name where both sides have names, otherwise by
    place."""
    if all("param_names" in group for group in groups):
        return {index: clean_name(name) for group in groups
                for index, name in zip(group["params"], group["param_names"])}
    sizes = [len(group["params"]) for group in groups], [len(names) for names in ours]
    if sizes[0] != sizes[1]:
        raise ValueError(f"[state] expected groups of {sizes[1]} parameters, given {sizes[0]}; parameters with names "
                         "may be grouped anew")
    return {index: name for group, names in zip(groups, ours) for index, name in zip(group["params"], names)}


def loaded_values(state_dict: Mapping[str, Any], ours: list[list[str]]) -> dict[str, torch.Tensor]:
    """Returns the engine's state in a state dict, by the engine's names."""
    groups = state_dict["param_groups"]
    if not groups or FORMAT_KEY not in groups[0]:
        raise ValueError("[state] expected the state dict of an optimizer of galore_cpp, given another one")
    if groups[0][FORMAT_KEY] != FORMAT:
        raise ValueError(f"[state] expected galore_format {FORMAT}, given {groups[0][FORMAT_KEY]}")
    names = saved_names(groups, ours)
    values = {_ENGINE + "num_updates": torch.tensor(int(groups[0]["num_updates"])),
              _ENGINE + "previous_norm": torch.tensor(float(groups[0]["previous_norm"]), dtype=torch.float64)}
    for index, tensors in state_dict["state"].items():
        for key, value in tensors.items():
            values[f"{names[index]}.{key}"] = value
    return values


def check_names(values: Mapping[str, torch.Tensor], parameters: Mapping[str, Any]) -> None:
    """Refuses a parameter without saved state, which would go on from zero moments without a
    word."""
    saved = {split_name(name, parameters)[0] for name in values}
    missing = [name for name in parameters if name not in saved]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"[state] expected the state of {missing[0]}{more}, given none")
    unused = [name for name in values if not split_name(name, parameters)[0] and not name.startswith(_ENGINE)]
    if unused:
        warnings.warn(f"[state] {len(unused)} tensors belong to no parameter of this optimizer and are left out, "
                      f"{unused[0]} among them", stacklevel=3)


def adopt_group_options(group: dict[str, Any], names: list[str], saved: list[dict[str, Any]], place: int,
                        fixed: frozenset[str]) -> None:
    """Takes the options of a saved group that may change during a run, such as the learning
    rate."""
    source = saved[min(place, len(saved) - 1)]
    for candidate in saved:
        if names and names[0] in map(clean_name, candidate.get("param_names", ())):
            source = candidate
    kept = fixed | {"params", "param_names", FORMAT_KEY, *ENGINE_SCALARS}
    group.update({key: value for key, value in source.items() if key not in kept})
