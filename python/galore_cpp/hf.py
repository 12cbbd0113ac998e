"""The optimizers in the trainers of Hugging Face: transformers 4.57 and 5.x, and TRL.

    trainer = Trainer(model, args, train_dataset=rows, **galore.hf.trainer(model, "galore_adamw_8bit", rank=128))
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from typing import Any, Optional

import torch
from transformers import TrainerCallback, TrainingArguments

from galore_cpp.optim import CLASSES, GaloreOptimizer, from_name
from galore_cpp.optim._groups import clean_name


class GaloreCallback(TrainerCallback):
    """Reads the trainer's arguments, makes the optimizer of them, and logs the norm of a layer-wise
    run."""

    def __init__(self, model: torch.nn.Module, optim: Optional[str], options: dict[str, Any]) -> None:
        """Is made by trainer()."""
        self._model, self._optim, self._options = model, optim, options
        self._args: Optional[TrainingArguments] = None
        self.optimizer: Optional[GaloreOptimizer] = None  #: the optimizer, once the trainer has asked for it

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keeps the arguments, and the model that the trainer may have wrapped."""
        self._args = args
        model = kwargs.get("model")
        self._model = self._model if model is None else model

    def make(self, params: Any) -> GaloreOptimizer:
        """Makes the optimizer of the trainer's groups."""
        args = self._args
        if args is None:
            raise ValueError("[hf] expected the callback of galore_cpp.hf.trainer() in the trainer, given only its "
                             "optimizer")
        optim = self._optim or str(getattr(args.optim, "value", args.optim))
        options = {**self._from_arguments(args, optim), **self._options}
        self.optimizer = from_name(self._named(params), optim, **options)
        return self.optimizer

    def _named(self, params: Any) -> Any:
        if isinstance(params, torch.nn.Module):
            return params
        names = {id(parameter): name for name, parameter in self._model.named_parameters()}
        groups = [dict(group) for group in params]
        for group in groups:
            group["params"] = [(clean_name(names[id(parameter)]), parameter) for parameter in group["params"]]
        return [group for group in groups if group["params"]]

    def _from_arguments(self, args: Any, optim: str) -> dict[str, Any]:
        """Returns the options that the trainer's arguments state. Defaults of theirs do not replace
        the preset's."""
        layerwise = optim.endswith("_layerwise") or bool(self._options.get("layerwise"))
        options: dict[str, Any] = {"lr": args.learning_rate, "weight_decay": args.weight_decay}
        known = inspect.signature(CLASSES.get(optim.removesuffix("_layerwise"), GaloreOptimizer)).parameters
        betas, defaults = (args.adam_beta1, args.adam_beta2), {f.name: f.default for f in dataclasses.fields(args)}
        if "betas" in known and betas != (defaults["adam_beta1"], defaults["adam_beta2"]):
            options["betas"] = betas
        if "eps" in known and args.adam_epsilon != defaults["adam_epsilon"]:
            options["eps"] = args.adam_epsilon
        if layerwise and args.max_grad_norm:
            options["max_grad_norm"] = args.max_grad_norm
        if "target_modules" in known and args.optim_target_modules:
            options["target_modules"] = args.optim_target_modules
        if self._optim is None:
            options.update(_parsed(args.optim_args))
        return options

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Replaces the norm 0 that the trainer measures where gradients are gone already."""
        update = self.optimizer.last_update if self.optimizer else None
        if update is None or not self.optimizer or not self.optimizer.is_layerwise or "grad_norm" not in (logs or {}):
            return
        name = "grad_norm_projected" if update.norm_is_projected else "grad_norm"
        for entry in (logs, state.log_history[-1] if state.log_history else {}):
            if "grad_norm" in entry:
                del entry["grad_norm"]
                entry[name] = update.gradient_norm


def _parsed(text: Optional[str]) -> dict[str, Any]:
    """Returns the options of optim_args, "rank=128,proj_type=std"."""
    options: dict[str, Any] = {}
    for item in filter(None, (text or "").replace(" ", "").split(",")):
        key, _, value = item.partition("=")
        if value.lower() in ("true", "false"):
            options[key] = value.lower() == "true"
            continue
        try:
            options[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[key] = value
    return options


def trainer(model: torch.nn.Module, optim: Optional[str] = None, **options: Any) -> dict[str, Any]:
    """Returns the arguments for a Trainer, SFTTrainer or RewardTrainer that make it use an
    optimizer of this package.

    optim is a preset's name, also with the suffix _layerwise; without it TrainingArguments.optim, optim_args and
    optim_target_modules are read. Learning rate, weight decay, changed betas and epsilon, and, in layer-wise runs,
    max_grad_norm come from TrainingArguments. Trainers that take optimizers=(optimizer, schedule) get the optimizer
    of galore_cpp.optim itself.
    """
    callback = GaloreCallback(model, optim, options)

    class Deferred(torch.optim.Optimizer):
        """Makes the optimizer when the trainer has its groups; 5.x asks for a class of torch."""

        def __new__(cls, params: Any, **ignored: Any) -> Any:
            return callback.make(params)

    return {"optimizer_cls_and_kwargs": (Deferred, {}), "callbacks": [callback]}
