"""The optimizers against torch's and the authors' packages on the same gradients."""

import copy
import importlib.util
import re

import pytest
import torch
from conftest import difference, tiny

import galore_cpp as galore

TORCH = torch.__version__.split("+")[0]


def compare(ours_of, theirs_of, updates=100, model=None, schedule=True):
    """Returns the difference of two models after updates from the same gradients and by one
    schedule."""
    ours = model or tiny()
    theirs = copy.deepcopy(ours)
    optimizers = ours_of(ours), theirs_of(theirs)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates) for optimizer in optimizers]
    start = copy.deepcopy(ours)
    for number in range(updates):
        gradients = torch.Generator().manual_seed(number)
        for mine, other in zip(ours.parameters(), theirs.parameters()):
            mine.grad = torch.randn(mine.shape, generator=gradients)
            other.grad = mine.grad.clone()
        for optimizer, plan in zip(optimizers, schedules):
            optimizer.step()
            if schedule:
                plan.step()
    assert difference(ours, start) > 1e-3, "the weights have moved"
    return difference(ours, theirs)


def groups_of(model):
    """Weight decay for matrices only, and half the rate for the rest."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    return [{"params": matrices, "weight_decay": 0.1}, {"params": [p for p in model.parameters() if p.dim() < 2],
                                                         "lr": 5e-4}]


# Each update rounds in fp32 (6e-8) in another order; the errors of 100 updates add up as a random
# walk at worst.
ROUNDING = 100 * 6e-8


@pytest.mark.parametrize("ours, theirs", [
    (lambda m: galore.optim.AdamW(groups_of(m), lr=1e-3, eps=1e-8),
     lambda m: torch.optim.AdamW(groups_of(m), lr=1e-3, weight_decay=0)),
    (lambda m: galore.optim.SGD(groups_of(m), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=0.0),
     lambda m: torch.optim.SGD(sgd_groups(m), lr=1e-3, momentum=0.9, nesterov=True)),
    (lambda m: galore.optim.RMSprop(list(m.parameters()), lr=1e-3, rms_beta=0.99, rms_epsilon=1e-8),
     lambda m: torch.optim.RMSprop(m.parameters(), lr=1e-3)),
], ids=["AdamW", "SGD", "RMSprop"])
def test_equals_torch_over_a_schedule(ours, theirs):
    assert compare(ours, theirs) < ROUNDING


def sgd_groups(model):
    """The groups for torch's SGD, which knows coupled decay only."""
    groups = groups_of(model)
    groups[0]["weight_decay"] = 0.1
    return groups


def test_galore_equals_galore_torch():
    if importlib.util.find_spec("galore_torch") is None:
        pytest.skip("galore_torch is not installed")
    from galore_torch import GaLoreAdamW as Theirs
    words = {"rank": 6, "update_proj_gap": 2, "scale": 0.25, "proj_type": "std"}

    def groups(model):
        projected = [p for name, p in model.named_parameters() if "proj.weight" in name]
        rest = [p for name, p in model.named_parameters() if "proj.weight" not in name]
        return [{"params": rest}, {"params": projected, **words}]

    assert compare(lambda m: galore.optim.GaLoreAdamW(groups(m), lr=1e-3, subspace="svd", signs="lapack",
                                                      refresh="together"),
                   lambda m: Theirs(groups(m), lr=1e-3, no_deprecation_warning=True), updates=4,
                   schedule=False) < 1e-5  # a singular vector moves by the rounding over the gap of singular values


@pytest.mark.parametrize("kind", ["apollo", "apollo_mini"])
def test_groups_in_the_words_of_apollo_torch(kind):
    words = {"rank": 1 if kind == "apollo_mini" else 4, "proj": "random", "scale_type": "channel", "scale": 1.0,
             "update_proj_gap": 2, "proj_type": "std"}
    model = tiny()
    projected = [p for name, p in model.named_parameters() if "proj.weight" in name]
    rest = [p for name, p in model.named_parameters() if "proj.weight" not in name]
    optimizer = galore.optim.APOLLOAdamW([{"params": rest}, {"params": projected, **words}], lr=1e-3)
    assert optimizer.param_groups[1]["subspace"] == "random" and optimizer.param_groups[1]["scale_type"] == "channel"
    assert sum(optimizer._engine.projected()) == len(projected)


def test_words_of_q_galore_torch():
    group = {"params": [torch.nn.Parameter(torch.ones(16, 16))], "rank": 4, "quant": True, "quant_n_bit": 4,
             "quant_group_size": 16, "cos_threshold": 0.4, "gamma_proj": 2, "queue_size": 5}
    optimizer = galore.optim.QGaLoreAdamW8bit([group], lr=1e-3)
    assert optimizer.param_groups[0]["proj_bits"] == 4 and optimizer.param_groups[0]["proj_group_size"] == 16


def test_versions_are_those_that_are_supported():
    assert re.match(r"2\.\d+", TORCH)
