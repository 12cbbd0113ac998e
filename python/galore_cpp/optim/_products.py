"""Linear layers that hand over the factors of their gradients, which are then never formed."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from galore_cpp import _library
from galore_cpp.optim._optimizer import GaloreOptimizer

# Maps a weight to the object that takes its products. A copy of a layer has another weight, so it is
# an ordinary layer again.
_TAKERS: Any = WeakTensorKeyDictionary()


class _Taker:
    """The place of one weight in its optimizer, which it does not keep alive."""

    def __init__(self, optimizer: GaloreOptimizer, name: str) -> None:
        self._optimizer, self._name = weakref.ref(optimizer), name

    def optimizer(self) -> GaloreOptimizer | None:
        """Returns the optimizer, or None if it is gone or no longer layer-wise."""
        optimizer = self._optimizer()
        return optimizer if optimizer is not None and self._name in optimizer._places else None

    def take(self, dy: torch.Tensor, x: torch.Tensor) -> None:
        """Hands the factors over."""
        optimizer = self.optimizer()
        if optimizer is None or optimizer._hooks is None:
            raise ValueError(f"[optimizer] {self._name}: expected the optimizer of project_gradients() in backward(), "
                             "given none")
        last = optimizer._hooks.begin_pass()
        # Layers under autocast compute in bf16 and report in it, as they do to autograd.
        _library.call(optimizer._engine.take_product, optimizer._places[self._name], dy, x.to(dy.dtype), last)


class _Product(torch.autograd.Function):
    """y = x W^T + b, where the gradient of W goes to the engine as dY and X."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: Any, taker: _Taker) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.taker, ctx.has_bias = taker, bias is not None
        return torch.nn.functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, weight = ctx.saved_tensors
        dy = gradients[0]
        # The input's gradient comes first, because the engine may change the weight.
        dx = dy.matmul(weight.to(dy.dtype)) if ctx.needs_input_grad[0] else None
        rows = dy.reshape(-1, dy.shape[-1])
        db = rows.sum(0) if ctx.has_bias and ctx.needs_input_grad[2] else None
        ctx.taker.take(rows, x.reshape(-1, x.shape[-1]))
        return dx, None, db, None


class ProjectedLinear(torch.nn.Linear):
    """An nn.Linear after project_gradients()."""

    def forward(self, x: torch.Tensor) -> Any:
        """Computes y = x W^T + b."""
        taker = _TAKERS.get(self.weight) if torch.is_grad_enabled() and self.weight.requires_grad else None
        if taker is None or taker.optimizer() is None:
            return torch.nn.functional.linear(x, self.weight, self.bias)
        return _Product.apply(x, self.weight, self.bias, taker)  # type: ignore[no-untyped-call]


def _plain_linears(model: torch.nn.Module, optimizer: GaloreOptimizer) -> dict[str, torch.nn.Linear]:
    """Returns the layers by the name of their weight: nn.Linear itself, trained, and with one
    user."""
    names = {id(parameter): name for name, parameter in optimizer._parameters.items()}
    users: dict[int, int] = {}
    for layer in model.modules():
        for parameter in layer.parameters(recurse=False):
            users[id(parameter)] = users.get(id(parameter), 0) + 1
    return {names[id(layer.weight)]: layer for layer in model.modules()
            if isinstance(layer, torch.nn.Linear) and type(layer) in (torch.nn.Linear, ProjectedLinear)
            and id(layer.weight) in names and users[id(layer.weight)] == 1}


def project_gradients(model: torch.nn.Module, optimizer: GaloreOptimizer) -> int:
    """Makes the linear layers of a model hand dY and X to a layer-wise optimizer, and returns their
    number.

    Between refreshes the gradient of a projected weight is then never formed: the engine computes
    dY^T (X P). Weights get what the ordinary way gives, to the rounding of another order of sums.
    Tied and quantized layers keep the ordinary way. A layer that is called twice in a pass is
    refused when backward() meets it.
    """
    if not optimizer._hooks:
        raise ValueError("[optimizer] expected layerwise=True with project_gradients()")
    if optimizer._hooks.averages:
        raise ValueError("[optimizer] expected project_gradients() without average_over(), because bases would come from "
                         "the gradients of one process")
    layers = _plain_linears(model, optimizer)
    optimizer._products = set(layers)
    optimizer._build(_library.call(optimizer._engine.state))
    for name, layer in layers.items():
        layer.__class__ = ProjectedLinear
        _TAKERS[layer.weight] = _Taker(optimizer, name)
    return len(layers)
