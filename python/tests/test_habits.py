"""The habits of PyTorch that an optimizer from elsewhere breaks silently: one test each."""

import copy
import warnings

import pytest
import torch
from conftest import batch, difference, run, tiny, weights

import galore_cpp as galore

NAMES = ["galore_adamw", "galore_adamw_layerwise"]


def make(params, name="galore_adamw", **options):
    return galore.optim.from_name(params, name, **{"lr": 1e-2, "rank": 4, "update_proj_gap": 2, **options})


def test_hooks_of_others_fire_and_ours_too():
    model = tiny()
    optimizer, before, seen = make(model, "galore_adamw_layerwise"), weights(model), []
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad is None))
    run(model, optimizer, 0, 1)
    assert len(seen) == len(before) and all(seen), "no gradient is left when any hook looks"
    assert all(not torch.equal(value, before[name]) for name, value in weights(model).items())


@pytest.mark.parametrize("name", NAMES)
def test_storage_swapped_after_construction_is_trained(name):
    plain, swapped = tiny(), tiny()
    optimizers = make(plain, name), make(swapped, name)
    for parameter in swapped.parameters():
        parameter.data = parameter.data.clone()
    run(plain, optimizers[0], 0, 3)
    run(swapped, optimizers[1], 0, 3)
    assert difference(plain, swapped) == 0
    swapped.to(torch.bfloat16)
    with pytest.raises(ValueError, match="expected the type that the tensor had"):
        run(swapped, optimizers[1], 3, 1)


@pytest.mark.parametrize("preset", ["adamw_torch", "adamw_8bit", "galore_adamw", "muon"])
def test_a_second_backward_pass_through_changed_weights_raises(preset):
    model = tiny()
    optimizer = galore.optim.from_name(model, preset, lr=1e-2)
    loss = model.loss(batch(0))
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_without_a_gradient_stays_as_it_is(name):
    model = tiny()
    optimizer, before = make(model, name, weight_decay=0.5), weights(model)
    model.layers[0](torch.ones(1, 3, 24)).sum().backward()
    optimizer.step()
    after = weights(model)
    assert all(torch.equal(after[key], before[key]) != key.startswith("layers.0.") for key in before)
    steps = {key: optimizer.state[parameter]["step"].item() for key, parameter in model.named_parameters()}
    assert all(step == key.startswith("layers.0.") for key, step in steps.items())


@pytest.mark.parametrize("layerwise", [False, True])
def test_rates_and_settings_by_group(layerwise):
    model, plain = tiny(), tiny()
    named = dict(model.named_parameters())
    groups = [{"params": [item for item in named.items() if "layers.0" in item[0]], "rank": 2, "lr": 0.0,
               "weight_decay": 0.1},
              {"params": [item for item in named.items() if "layers.0" not in item[0]], "weight_decay": 0.3}]
    optimizer = make(groups, layerwise=layerwise, rank=4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda k: 1.0, lambda k: float(k < 2)])
    run(model, optimizer, 0, 2)
    assert all(torch.equal(value, weights(plain)[name]) == ("layers.0" in name) for name, value in weights(model).items())
    basis = optimizer.state[named["layers.0.up_proj.weight"]]
    assert 2 in min((value.shape for value in basis.values() if value.dim() == 2), key=lambda shape: min(shape))
    assert "basis" not in " ".join(optimizer.state[named["layers.1.up_proj.weight"]]), "the other group is not projected"
    before = weights(model)
    schedule.step(), schedule.step()
    run(model, optimizer, 2, 1)
    assert all(torch.equal(value, before[name]) for name, value in weights(model).items()), "all rates are 0 now"


def test_fixed_options_refuse_a_change():
    model = tiny()
    optimizer = make(model)
    torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=4)
    with pytest.raises(ValueError, match="betas=.*fixed at construction.*cycle_momentum=False"):
        run(model, optimizer, 0, 1)
    with pytest.raises(ValueError, match="maximize"):
        make([{"params": list(model.parameters()), "maximize": True, "rank": 4}])
    with pytest.raises(ValueError, match="given 'rnak'"):
        make([{"params": list(model.parameters()), "rnak": 4}])


def passes(model, optimizer, numbers, known):
    """One update of the mean over some batches, by one pass each."""
    if known:
        optimizer.accumulate(len(numbers))
    for number in numbers:
        loss = model.loss(batch(number)) / len(numbers)
        if known or number == numbers[-1] or not optimizer.is_layerwise:
            loss.backward()
        else:
            with optimizer.no_update():
                loss.backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("known", [False, True])
def test_the_number_of_micro_batches_may_be_known_at_the_end(known):
    plain, layerwise = tiny(), tiny()
    optimizers = make(plain), make(layerwise, "galore_adamw_layerwise")
    for numbers in ([0, 1, 2], [3], [4, 5]):
        passes(plain, optimizers[0], numbers, known=False)
        passes(layerwise, optimizers[1], numbers, known)
    # The projections of the parts are summed in place of the projection of the sum.
    assert difference(plain, layerwise) < 1e-4


def test_a_pass_too_many_is_refused_and_zero_grad_begins_anew():
    model = tiny()
    optimizer = make(model, "galore_adamw_layerwise")
    model.loss(batch(0)).backward()
    with pytest.raises(ValueError, match="no more backward passes"):
        model.loss(batch(1)).backward()
    optimizer.zero_grad()
    run(model, optimizer, 2, 1)
    assert optimizer.last_update.skipped == 0


def test_state_is_aliased_and_keeps_its_type():
    model = tiny(dtype=torch.bfloat16)
    optimizer = make(model)
    run(model, optimizer, 0, 2)
    state = optimizer.state[model.lm_head.weight]
    name, moment = next((key, value) for key, value in state.items() if value.dim() == 2)
    moment.fill_(1.001)
    assert optimizer.state[model.lm_head.weight][name][0, 0].item() == pytest.approx(1.001)
    again = make(tiny(dtype=torch.bfloat16))
    again.load_state_dict(optimizer.state_dict())
    loaded = again.state_dict()["state"][len(list(model.parameters())) - 1][name]
    assert loaded.dtype == torch.float32 and loaded[0, 0].item() == pytest.approx(1.001)


@pytest.mark.parametrize("name", NAMES)
def test_a_deep_copy_trains_on(name):
    model = tiny()
    optimizer = make(model, name)
    run(model, optimizer, 0, 3)
    other, copied = copy.deepcopy((model, optimizer))
    run(model, optimizer, 3, 3)
    run(other, copied, 3, 3)
    assert difference(model, other) == 0 and copied.param_groups[0]["params"][0] is next(other.parameters())


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_half_precision_weights(rounding):
    half, exact = tiny(dtype=torch.float16), tiny().to(torch.float16).to(torch.float32)
    optimizers = [galore.optim.AdamW(model, lr=1e-3, rounding=rounding) for model in (half, exact)]
    for number in range(8):
        for model, optimizer in zip((half, exact), optimizers):
            gradients = torch.Generator().manual_seed(number)
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=gradients).to(parameter.dtype)
            optimizer.step()
    # fp16 has 11 bits; each of the eight updates is rounded once.
    assert 0 < difference(half, exact) < 8 * 2**-11


def test_strided_parameters():
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(8, 16, 3)
    strided = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    assert not strided.weight.is_contiguous()
    optimizers = [make([("mlp.weight", model.weight)]) for model in (plain, strided)]
    for number in range(4):
        gradient = torch.randn(plain.weight.shape, generator=torch.Generator().manual_seed(number))
        for model, optimizer in zip((plain, strided), optimizers):
            model.weight.grad = gradient.clone(memory_format=torch.preserve_format)
            optimizer.step()
    assert torch.equal(plain.weight, strided.weight) and not strided.weight.is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_gradients_of_every_floating_type(dtype):
    model = tiny()
    optimizer = make(model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = weights(model)
    optimizer.step()
    assert not torch.equal(before["lm_head.weight"], model.lm_head.weight)


def test_gradients_stay_as_they_are():
    model = tiny()
    optimizer = make(model, weight_decay=0.1)
    model.loss(batch(0)).backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    optimizer.step()
    assert all(torch.equal(parameter.grad, gradient) for parameter, gradient in zip(model.parameters(), gradients))


def test_gradients_that_are_not_finite_are_left_out_with_one_notice():
    model = tiny()
    optimizer, before = make(model), weights(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            model.loss(batch(0)).backward()
            model.lm_head.weight.grad[0, 0] = float("nan")
            optimizer.step()
            optimizer.zero_grad()
    assert torch.equal(before["lm_head.weight"], model.lm_head.weight) and optimizer.last_update.skipped == 1
    assert len([warning for warning in caught if "not finite" in str(warning.message)]) == 1


def test_frozen_parameters_may_thaw():
    model = tiny()
    model.layers[0].requires_grad_(False)
    optimizer, before = make(model), weights(model)
    run(model, optimizer, 0, 2)
    assert torch.equal(before["layers.0.up_proj.weight"], model.layers[0].up_proj.weight)
    model.layers[0].requires_grad_(True)
    run(model, optimizer, 2, 1)
    assert not torch.equal(before["layers.0.up_proj.weight"], model.layers[0].up_proj.weight)
    assert optimizer.state[model.lm_head.weight]["step"] == 3
