"""Linear layers that hand over the factors of their gradients, which are then never formed."""

from __future__ import annotations

from typing import Any

import torch

from galore_cpp import _library
from galore_cpp.optim._optimizer import GaloreOptimizer


class _Linear(torch.autograd.Function):
    """y = x W^T + b, where the gradient of W goes to the engine as dY and X."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: Any, hand_over: Any) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.hand_over, ctx.has_bias = hand_over, bias is not None
        return torch.nn.functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, weight = ctx.saved_tensors
        dy = gradients[0]
        # The input's gradient comes first, because the hand-over may change the weight.
        dx = dy.matmul(weight.to(dy.dtype)) if ctx.needs_input_grad[0] else None
        rows = dy.reshape(-1, dy.shape[-1])
        db = rows.sum(0) if ctx.has_bias and ctx.needs_input_grad[2] else None
        ctx.hand_over(rows, x.reshape(-1, x.shape[-1]))
        return dx, None, db, None


def _plain_linears(model: torch.nn.Module, optimizer: GaloreOptimizer) -> dict[str, torch.nn.Linear]:
    """Returns the layers by the name of their weight: nn.Linear itself, trained, and with one user."""
    names = {id(parameter): name for name, parameter in optimizer._parameters.items()}
    users: dict[int, int] = {}
    for layer in model.modules():
        for parameter in layer.parameters(recurse=False):
            users[id(parameter)] = users.get(id(parameter), 0) + 1
    return {names[id(layer.weight)]: layer for layer in model.modules()
            if type(layer) is torch.nn.Linear and id(layer.weight) in names and users[id(layer.weight)] == 1}


def project_gradients(model: torch.nn.Module, optimizer: GaloreOptimizer) -> int:
    """Makes the linear layers of a model hand dY and X to a layer-wise optimizer, and returns their number.

    Between refreshes the gradient of a projected weight is then never formed: the engine computes dY^T (X P). Weights
    get what the ordinary way gives, to the rounding of another order of sums. Tied and quantized layers, and layers
    that are called more than once in a pass, must keep the ordinary way; the last are refused when they are met.
    """
    if not optimizer._hooks:
        raise ValueError("[optimizer] expected layerwise=True with project_gradients()")
    layers = _plain_linears(model, optimizer)
    optimizer._products = set(layers)
    optimizer._build(_library.call(optimizer._engine.state))
    for name, layer in layers.items():
        _replace_forward(layer, name, optimizer)
    return len(layers)


def _replace_forward(layer: torch.nn.Linear, name: str, optimizer: GaloreOptimizer) -> None:
    index = list(optimizer._parameters).index(name)

    def hand_over(dy: torch.Tensor, x: torch.Tensor) -> None:
        hooks = optimizer._hooks
        assert hooks is not None
        last = hooks.begin_pass()
        # Layers under autocast compute in bf16 and report in it, as they do to autograd.
        _library.call(optimizer._engine.take_product, index, dy, x.to(dy.dtype), last)

    def forward(x: torch.Tensor) -> Any:
        if not torch.is_grad_enabled() or not layer.weight.requires_grad:
            return torch.nn.functional.linear(x, layer.weight, layer.bias)
        return _Linear.apply(x, layer.weight, layer.bias, hand_over)  # type: ignore[no-untyped-call]

    layer.forward = forward  # type: ignore[method-assign, assignment]
