"""The base of all optimizers: torch.optim.Optimizer around one engine of the library."""

from __future__ import annotations

import dataclasses
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Optional, Union

import torch

from galore_cpp import _library
from galore_cpp.optim import _groups, _safetensors, _state
from galore_cpp.optim._groups import Params
from galore_cpp.optim._layerwise import LayerwiseHooks

Closure = Optional[Callable[[], Union[float, torch.Tensor]]]

# Options of the whole optimizer, in our words and in those of the option table.
_COMMON = {"target_modules": "optim_target_modules", "max_grad_norm": "max_grad_norm",
           "layerwise_clipping": "layerwise_clipping", "gradient": "gradient", "grad_norm": "grad_norm",
           "basis_gradient": "basis_gradient", "rounding": "bf16_rounding", "master_weights": "master_weights",
           "seed": "seed"}
_RATES = ("lr", "weight_decay")
# What a copy takes over; the engine is made anew.
_KEPT = ("defaults", "param_groups", "_optim", "_common", "_layerwise", "_roles", "_words", "_products", "_said", "_last",
         "_fixed")


@dataclasses.dataclass(frozen=True)
class UpdateReport:
    """What the last update did."""

    gradient_norm: float  #: before clipping
    norm_is_projected: bool  #: weights that form no gradient contribute the norm inside their subspace
    clip_factor: float
    skipped: int  #: weights left alone because their gradient was not finite
    refreshed: dict[str, float]  #: weights with a new basis, and the share of the gradient that it captures
    notices: list[str]
    seconds: float  #: in methods and in writing weights


class GaloreOptimizer(torch.optim.Optimizer):
    """Any optimizer of the library; the generated classes and from_spec() choose one."""

    #: options that hold several of the table, such as betas, and their names there
    pairs: dict[str, tuple[str, str]] = {}
    #: options of the table that a class fixes
    always: dict[str, Any] = {}

    def __init__(self, params: Params, optim: str, options: Mapping[str, Any], common: Mapping[str, Any]) -> None:
        """Makes the optimizer `optim` with its options in the words of its class.

        common: the options of the whole optimizer: target_modules, layerwise, max_grad_norm, ...
        """
        self._engine: Any = None
        self._optim = optim
        self._common = dict(common)
        self._layerwise = bool(self._common.pop("layerwise", False))
        self._roles = _groups.module_roles(params)
        self._words: list[set[str]] = []
        self._products: set[str] = set()
        self._hooks: Optional[LayerwiseHooks] = None
        self._said: set[str] = set()
        self._last: Optional[UpdateReport] = None
        if not self._layerwise and self._common.get("max_grad_norm"):
            raise ValueError("[optimizer] expected layerwise=True with max_grad_norm; in other runs call "
                             "torch.nn.utils.clip_grad_norm_ before step()")
        super().__init__(_groups.as_groups(params), dict(options))
        self._fixed = frozenset(self.defaults) - set(_RATES)
        self._build()

    # Parameters and groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group; its weights begin with fresh state, and the others keep theirs."""
        group = _groups.in_our_words(param_group)
        given = {key for key in group if key not in _groups.HOST_KEYS}
        _groups.check_keys(group, self.defaults)
        before = None if self._engine is None else _library.call(self._engine.state)
        super().add_param_group(group)
        self._words.append(given)
        if before is not None:
            self._build(before)

    def _names_of(self, group: Mapping[str, Any], first: int) -> list[str]:
        names = group.get("param_names")
        if names:
            return [_groups.clean_name(name) for name in names]
        return [f"p{first + place}" for place in range(len(group["params"]))]

    def _all_names(self) -> list[list[str]]:
        names: list[list[str]] = []
        for group in self.param_groups:
            names.append(self._names_of(group, sum(map(len, names))))
        return names

    def _optim_args(self, group: Mapping[str, Any]) -> str:
        values = {key: group[key] for key in self.defaults if key not in _RATES}
        for pair, names in self.pairs.items():
            if pair in values:
                values.update(zip(names, values.pop(pair)))
        if "eps" in values:
            values["adam_epsilon"] = values.pop("eps")
        values.update(self.always)
        return ",".join(f"{key}={_groups.option_text(value)}" for key, value in values.items() if value is not None)

    def _target_of(self, words: set[str], named: bool) -> int:
        """Returns 1 for a projected group, 0 for one that is not, -1 where target_modules
        decide."""
        if any(group & _groups.SUBSPACE_WORDS for group in self._words):
            return int(bool(words & _groups.SUBSPACE_WORDS))
        return -1 if named else 0

    def _build(self, state: Optional[Mapping[str, torch.Tensor]] = None) -> None:
        """Makes the engine anew, with the state of the one before for the weights that it had."""
        counted = self._hooks.remove() if self._hooks else 0
        self._engine = None
        self._snapshots = [dict(group) for group in self.param_groups]
        members = [(name, parameter, number) for number, names in enumerate(self._all_names())
                   for name, parameter in zip(names, self.param_groups[number]["params"])]
        self._frozen = [parameter for _, parameter, _ in members if not parameter.requires_grad]
        # Refreshes are spread over the weights in this order, which must not depend on the groups.
        trained = sorted((member for member in members if member[1].requires_grad), key=_groups.natural_order)
        self._parameters = {name: parameter for name, parameter, _ in trained}
        self._places = {name: place for place, name in enumerate(self._parameters)}
        self._group_of = [number for _, _, number in trained]
        if not trained:
            raise ValueError("[optimizer] expected at least one parameter that requires a gradient, given none")
        if len(self._parameters) < len(trained):
            raise ValueError("[optimizer] expected a name of its own for each parameter, given one that occurs twice")
        targets = [self._target_of(words, "param_names" in group) for words, group in zip(self._words, self.param_groups)]
        targeted = [targets[number] for number in self._group_of]
        settings = [text for group in self.param_groups for text in (self._optim, self._optim_args(group))]
        self._engine = self._new_engine(settings, targeted)
        self._check_targets(targeted)
        if state is not None:
            fresh = _library.call(self._engine.state)
            _library.call(self._engine.load, {**fresh, **state})
        if self._layerwise:
            self._hooks = LayerwiseHooks(self, counted)

    def _new_engine(self, settings: list[str], targeted: list[int]) -> Any:
        parameters = list(self._parameters.values())
        refuse_tensors(self._parameters)
        # The whole-model driver would keep every gradient a second time; step() has them all at
        # once.
        options = ["optim_layerwise", "true"]
        for key, value in self._common.items():
            if value is not None:
                options += [_COMMON[key], _groups.option_text(value)]
        facts = [[self._roles.get(name, -1), group, target, int(name in self._products)]
                 for name, group, target in zip(self._parameters, self._group_of, targeted)]
        return _library.new_engine(list(self._parameters), parameters, facts, settings, options)

    def _check_targets(self, targeted: list[int]) -> None:
        if "rank" not in self.defaults:
            return
        unmatched = self._engine.unmatched()
        if unmatched and -1 in targeted:
            raise ValueError(f"[optimizer] expected target_modules that match a matrix, given '{unmatched[0]}'")
        if not any(self._engine.projected()):
            raise ValueError("[optimizer] no parameter is projected: pass a module or named_parameters(), or a group "
                             "with rank=...")

    # Updates

    def _begin(self, micro_batches: int) -> None:
        for group, before in zip(self.param_groups, self._snapshots):
            for key in self._fixed:
                if group[key] is not before[key] and group[key] != before[key]:
                    raise ValueError(f"[optimizer] expected {key}={before[key]}, which is fixed at construction, given "
                                     f"{group[key]} (OneCycleLR: cycle_momentum=False)")
        rates = [float(group["lr"]) for group in self.param_groups]
        decays = [float(group["weight_decay"]) for group in self.param_groups]
        _library.call(self._engine.set_rates, rates, decays, self._group_of)
        if micro_batches >= 0:
            _library.call(self._engine.begin, micro_batches)

    def step(self, closure: Closure = None) -> Any:
        """Makes one update; in layer-wise runs it closes the update that backward() has made."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if self._frozen and any(parameter.requires_grad for parameter in self._frozen):
            self._build(_library.call(self._engine.state))
        if self._hooks:
            self._hooks.finish()
        else:
            self._begin(-1)
            _library.call(self._engine.step)
            self._report()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops gradients. In layer-wise runs it also drops an update that was not closed by
        step()."""
        if self._hooks:
            self._hooks.abandon()
        super().zero_grad(set_to_none)

    def _report(self) -> None:
        numbers = self._engine.report()
        notices = list(self._engine.notices())
        self._last = UpdateReport(
            gradient_norm=numbers["gradient_norm"], norm_is_projected=bool(numbers["norm_is_projected"]),
            clip_factor=numbers["clip_factor"], skipped=int(numbers["num_skipped"]),
            refreshed=dict(self._engine.refreshed()), notices=notices, seconds=numbers["seconds"])
        for notice in notices:
            text = notice.split(": ", 1)[-1]
            if text not in self._said:
                self._said.add(text)
                warnings.warn(notice, stacklevel=4)

    @property
    def last_update(self) -> Optional[UpdateReport]:
        """The report of the last update, or None before the first one."""
        return self._last

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """GradScaler reads this before it looks for gradients, which a layer-wise run has used
        already."""
        if self._layerwise:
            raise ValueError("[optimizer] expected no GradScaler with layerwise=True, because weights change before "
                             "gradients are unscaled; train in bf16, which needs none")
        return False

    @property
    def is_layerwise(self) -> bool:
        """True if weights are updated within backward()."""
        return self._layerwise

    def memory(self) -> dict[str, int]:
        """Returns the bytes of state and of gradients in the engine, by owner."""
        return {owner.replace(" ", "_"): count for owner, count in self._engine.memory().items()}

    def accumulate(self, micro_batches: int) -> None:
        """Layer-wise: sets the number of backward passes of each update from now on."""
        self._need_hooks("accumulate()").accumulate(micro_batches)

    def no_update(self) -> Any:
        """Layer-wise: returns a context for backward passes that are not the last one of their
        update."""
        return self._need_hooks("no_update()").no_update()

    def average_over(self, process_group: Any = None) -> None:
        """Layer-wise: makes every update from the mean of the gradients of several processes, as
        DistributedDataParallel does, which must not wrap the model.

        The weights become those of the group's first process; None is the group of all processes.
        Between refreshes the processes exchange projected gradients, which have the size of the
        rank. Each process must have gradients for the same weights.
        """
        hooks = self._need_hooks("average_over()")
        if self._products:
            raise ValueError("[optimizer] expected average_over() without project_gradients(), which takes bases from "
                             "the gradients of one process")
        group = process_group or torch.distributed.group.WORLD
        for group_of_weights in self.param_groups:
            for parameter in group_of_weights["params"]:
                torch.distributed.broadcast(parameter.detach(), group_src=0, group=group)
        hooks.average_over(group)

    def _need_hooks(self, what: str) -> LayerwiseHooks:
        if not self._hooks:
            raise ValueError(f"[optimizer] expected layerwise=True with {what}; otherwise gradients add up in .grad")
        return self._hooks

    # State

    @property
    def state(self) -> Any:
        """The live state by parameter and name. Tensors may be changed in place; numbers are
        copies."""
        if self._engine is None:
            return defaultdict(dict)
        return _state.by_parameter(_library.call(self._engine.state), self._parameters)

    @state.setter
    def state(self, value: Any) -> None:
        """Ignores what torch's constructor sets: the engine holds the state."""

    def state_dict(self) -> dict[str, Any]:
        """Returns torch's form of the state; torch.load reads it back with weights_only=True."""
        packed = super().state_dict()
        scalars = _state.engine_scalars(_library.call(self._engine.state))
        packed["param_groups"][0].update({_state.FORMAT_KEY: _state.FORMAT, **scalars})
        return packed

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state dict, by the names of the parameters where both sides have names."""
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, dict(state_dict))
            state_dict = state_dict if changed is None else changed
        names = self._all_names()
        self._load(_state.loaded_values(state_dict, names))
        for place, group in enumerate(self.param_groups):
            _state.adopt_group_options(group, names[place], state_dict["param_groups"], place, self._fixed)
        for post in self._optimizer_load_state_dict_post_hooks.values():
            post(self)

    def _load(self, values: Mapping[str, torch.Tensor]) -> None:
        _state.check_names(values, self._parameters)
        self._build()  # state that exists only after updates must not outlive a load
        _library.call(self._engine.load, dict(values))

    def save(self, path: _safetensors.Path) -> None:
        """Writes the file optimizer.safetensors of the program `galore`."""
        values = _library.call(self._engine.state)
        _safetensors.write(path, {name: value.reshape(1) if value.dim() == 0 else value for name, value in values.items()})

    def load(self, path: _safetensors.Path) -> None:
        """Reads a file of save(), or the optimizer.safetensors of the program with the same
        weights."""
        self._load(_safetensors.read(path))

    def __getstate__(self) -> dict[str, Any]:
        values = dict(_library.call(self._engine.state))
        return {**{key: getattr(self, key) for key in _KEPT}, "_values": values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        values = state.pop("_values")
        self._engine, self._hooks = None, None
        super().__setstate__(state)
        self.defaults.pop("differentiable", None)
        self._build()
        _library.call(self._engine.load, values)


def refuse_tensors(parameters: Mapping[str, torch.Tensor]) -> None:
    """Refuses sharded tensors, of which a process holds a part only."""
    for name, parameter in parameters.items():
        for kind in (type(parameter).__name__, type(parameter.data).__name__):
            if kind in ("DTensor", "FlatParameter"):
                raise ValueError(f"[optimizer] {name}: expected a whole tensor, given a {kind}, which is a part")
        if parameter.numel() == 0:
            raise ValueError(f"[optimizer] {name}: expected a whole tensor, given an empty one")


__all__ = ["Closure", "GaloreOptimizer", "Params", "UpdateReport"]
