"""Models and helpers that the tests share."""

import sys
import pathlib

import pytest
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


class Block(torch.nn.Module):
    """Attention-free layers with every kind of weight: matrices, norms, biases."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.up_proj = torch.nn.Linear(width, 2 * width)
        self.down_proj = torch.nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down_proj(torch.tanh(self.up_proj(self.norm(x))))


class Tiny(torch.nn.Module):
    """A language model of a few thousand weights."""

    def __init__(self, width: int = 24, tokens: int = 40, layers: int = 2) -> None:
        super().__init__()
        self.embed_tokens = torch.nn.Embedding(tokens, width)
        self.layers = torch.nn.ModuleList(Block(width) for _ in range(layers))
        self.lm_head = torch.nn.Linear(width, tokens, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(x)

    def loss(self, ids: torch.Tensor) -> torch.Tensor:
        logits = self(ids).float()
        return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def tiny(seed: int = 0, dtype: torch.dtype = torch.float32) -> Tiny:
    """Returns a model with the weights of a seed."""
    torch.manual_seed(seed)
    return Tiny().to(dtype)


def batch(number: int) -> torch.Tensor:
    """Returns the batch of a number."""
    return torch.randint(0, 40, (4, 12), generator=torch.Generator().manual_seed(number))


def run(model: Tiny, optimizer: torch.optim.Optimizer, first: int, updates: int) -> None:
    """Makes updates on the batches from `first` on."""
    for number in range(first, first + updates):
        model.loss(batch(number)).backward()
        optimizer.step()
        optimizer.zero_grad()


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Returns copies of the weights."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def difference(a: torch.nn.Module, b: torch.nn.Module) -> float:
    """Returns the largest difference of two models' weights relative to the weight's size; 0: the
    same bits."""
    others = weights(b)
    return max(((value - others[name]).float().norm() / value.float().norm().clamp(min=1e-12)).item()
               if not torch.equal(value, others[name]) else 0.0 for name, value in weights(a).items())


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # tensors are so small that threads would only wait for each other
