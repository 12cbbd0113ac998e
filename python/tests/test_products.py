"""Linear layers that hand over dY and X against gradients by autograd."""

import copy
import gc

import pytest
import torch
from conftest import batch, difference, run, tiny
from test_habits import passes

import galore_cpp as galore


def pair(name, **options):
    models = tiny(), tiny()
    optimizers = [galore.optim.from_name(model, name, lr=1e-3, layerwise=True, **options) for model in models]
    assert galore.optim.project_gradients(models[1], optimizers[1]) == 5
    return models, optimizers


# A product in the subspace is summed in another order than a gradient that is projected afterwards.
@pytest.mark.parametrize("name, options, bound", [
    ("galore_adamw", {"rank": 4, "update_proj_gap": 3}, 1e-4), ("fira_adamw", {"rank": 4, "update_proj_gap": 3}, 1e-4),
    ("apollo_adamw", {"rank": 4}, 1e-4), ("adamw", {}, 1e-6)])
def test_equals_the_ordinary_way(name, options, bound):
    models, optimizers = pair(name, **options)
    for model, optimizer in zip(models, optimizers):
        run(model, optimizer, 0, 7)
    assert difference(*models) < bound and difference(models[0], tiny()) > 1e-3


def test_accumulates():
    models, optimizers = pair("galore_adamw", rank=4, update_proj_gap=3)
    for numbers in ([0, 1, 2], [3, 4], [5]):
        for model, optimizer in zip(models, optimizers):
            passes(model, optimizer, numbers, known=False)
    assert difference(*models) < 1e-4


def test_no_full_gradient_of_a_projected_weight_exists_between_refreshes():
    (_, model), (_, optimizer) = pair("galore_adamw", rank=4, update_proj_gap=100)
    run(model, optimizer, 0, 1)
    seen = []
    model.layers[0].up_proj.weight.register_hook(lambda gradient: seen.append(gradient))
    run(model, optimizer, 1, 1)
    assert seen in ([], [None]) and model.layers[0].up_proj.weight.grad is None


def test_keeps_state_and_evaluates_and_works_under_autocast():
    model = tiny()
    optimizer = galore.optim.GaLoreAdamW(model, lr=1e-3, rank=4, layerwise=True)
    run(model, optimizer, 0, 3)
    reference = tiny()
    reference.load_state_dict(model.state_dict())
    galore.optim.project_gradients(model, optimizer)
    assert all(state["step"] == 3 for state in optimizer.state.values())
    with torch.no_grad():
        expected = model.loss(batch(9))
        assert torch.equal(expected, reference.loss(batch(9)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.loss(batch(3))
    loss.backward()
    optimizer.step()
    assert optimizer.last_update.gradient_norm > 0


def test_tied_weights_keep_the_ordinary_way():
    model = tiny()
    model.lm_head.weight = model.embed_tokens.weight
    optimizer = galore.optim.GaLoreAdamW(model, rank=4, layerwise=True)
    assert galore.optim.project_gradients(model, optimizer) == 4
    run(model, optimizer, 0, 2)


def test_copies_are_ordinary_layers_and_groups_may_be_added():
    (plain, model), (reference, optimizer) = pair("galore_adamw", rank=4)
    copied = copy.deepcopy(model)
    copied.loss(batch(0)).backward()
    assert all(parameter.grad is not None for parameter in copied.parameters())
    assert optimizer.last_update is None
    for tuned in (reference, optimizer):
        tuned.add_param_group({"params": [("a.first.name", torch.nn.Parameter(torch.ones(3)))]})
    for one, tuned in ((plain, reference), (model, optimizer)):
        run(one, tuned, 0, 2)
    assert difference(plain, model) < 1e-4
    del optimizer, tuned
    gc.collect()
    model.zero_grad()
    model.loss(batch(0)).backward()
    assert model.lm_head.weight.grad is not None, "an ordinary layer again"


def test_a_layer_that_is_called_twice_is_refused():
    layer = torch.nn.Linear(8, 8)
    optimizer = galore.optim.GaLoreAdamW(layer, rank=2, layerwise=True)
    galore.optim.project_gradients(layer, optimizer)
    # The first use to come back has changed the weight, which autograd notices before the engine
    # does.
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        layer(layer(torch.ones(2, 8))).sum().backward()


def test_needs_layerwise():
    model = tiny()
    with pytest.raises(ValueError, match="layerwise=True"):
        galore.optim.project_gradients(model, galore.optim.GaLoreAdamW(model, rank=4))
