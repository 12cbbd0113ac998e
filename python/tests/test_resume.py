"""Every preset goes on to the bit: in both drivers, in fp32 and bf16, by each way of saving."""

import copy
import inspect
import io

import pytest
import torch
from conftest import difference, run, tiny, weights
from torch.distributed import checkpoint

import galore_cpp as galore

PRESETS = [kind for kind in dict.fromkeys(galore.optim.CLASSES.values())]


def make(kind, model, **options):
    known = inspect.signature(kind).parameters
    small = {"lr": 1e-2, "rank": 4, "update_proj_gap": 2, "min_8bit_size": 0, "seed": 7, "rounding": "stochastic"}
    if "target_modules" in known:
        small["target_modules"] = "all-linear"
    return kind(model.named_parameters(), **{key: value for key, value in small.items() if key in known}, **options)


def by_torch(optimizer, other, tmp_path):
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))


def by_program_file(optimizer, other, tmp_path):
    optimizer.save(tmp_path / "optimizer.safetensors")
    other.load(tmp_path / "optimizer.safetensors")


def by_distributed_checkpoint(optimizer, other, tmp_path):
    saved = {"optimizer": optimizer.state_dict()}
    checkpoint.save(saved, checkpoint_id=tmp_path / "dcp", no_dist=True)
    blank = copy.deepcopy(saved)
    for values in blank["optimizer"]["state"].values():
        for value in values.values():
            value.zero_()
    checkpoint.load(blank, checkpoint_id=tmp_path / "dcp", no_dist=True)
    other.load_state_dict(blank["optimizer"])


def by_safetensors(optimizer, other, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    saved = optimizer.state_dict()
    flat = {f"{index} {key}": value for index, values in saved["state"].items() for key, value in values.items()}
    safetensors.save_file({key: value.contiguous() for key, value in flat.items()}, tmp_path / "state.safetensors")
    state = {index: {} for index in saved["state"]}
    for name, value in safetensors.load_file(tmp_path / "state.safetensors").items():
        index, key = name.split(" ")
        state[int(index)][key] = value
    other.load_state_dict({**saved, "state": state})


WAYS = [by_torch, by_program_file, by_distributed_checkpoint, by_safetensors]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layerwise", [False, True])
@pytest.mark.parametrize("kind", PRESETS, ids=lambda kind: kind.__name__)
def test_resumes_to_the_bit(kind, layerwise, way, tmp_path):
    for dtype in (torch.float32, torch.bfloat16):
        whole = tiny(dtype=dtype)
        optimizer = make(kind, whole, layerwise=layerwise)
        run(whole, optimizer, 0, 3)
        resumed = tiny(1, dtype)
        resumed.load_state_dict(whole.state_dict())
        other = make(kind, resumed, layerwise=layerwise)
        way(optimizer, other, tmp_path)
        run(whole, optimizer, 3, 3)
        run(resumed, other, 3, 3)
        assert difference(whole, resumed) == 0, dtype


@pytest.mark.parametrize("kind", PRESETS, ids=lambda kind: kind.__name__)
def test_both_drivers_give_the_same_bits(kind):
    plain, layerwise = tiny(), tiny()
    run(plain, make(kind, plain), 0, 5)
    run(layerwise, make(kind, layerwise, layerwise=True), 0, 5)
    assert difference(plain, layerwise) == 0
    assert difference(plain, tiny()) > 0


def resumed_with(groups, optimizer, model, options=None):
    other = tiny(1)
    other.load_state_dict(model.state_dict())
    again = galore.optim.GaLoreAdamW(groups(other), **(options or {"lr": 1e-2, "rank": 4, "update_proj_gap": 2}))
    again.load_state_dict(optimizer.state_dict())
    return other, again


def test_groups_may_be_formed_anew_by_name():
    model = tiny()
    optimizer = galore.optim.GaLoreAdamW(model.named_parameters(), lr=1e-2, rank=4, update_proj_gap=2)
    run(model, optimizer, 0, 3)

    def two_groups(other):
        named = list(other.named_parameters())
        return [{"params": named[5:]}, {"params": named[:5]}]

    other, again = resumed_with(two_groups, optimizer, model)
    run(model, optimizer, 3, 3)
    run(other, again, 3, 3)
    assert difference(model, other) == 0


def test_a_run_in_the_other_driver_and_with_a_frozen_parameter_goes_on():
    model, options = tiny(), {"lr": 1e-2, "rank": 4, "update_proj_gap": 2}
    model.lm_head.requires_grad_(False)
    optimizer = galore.optim.GaLoreAdamW(model, **options)
    run(model, optimizer, 0, 3)
    other = tiny(1)
    other.lm_head.requires_grad_(False)
    other.load_state_dict(model.state_dict())
    again = galore.optim.GaLoreAdamW(other, layerwise=True, **options)
    again.load_state_dict(optimizer.state_dict())
    run(model, optimizer, 3, 3)
    run(other, again, 3, 3)
    assert difference(model, other) == 0


def test_a_group_added_later_is_saved_with_the_others():
    def with_head(model, added):
        named = [item for item in model.named_parameters() if item[0] != "lm_head.weight"]
        optimizer = galore.optim.GaLoreAdamW(named, lr=1e-2, rank=4, update_proj_gap=2)
        if added:
            optimizer.add_param_group({"params": [("lm_head.weight", model.lm_head.weight)]})
        return optimizer

    model = tiny()
    optimizer = with_head(model, False)
    run(model, optimizer, 0, 2)
    optimizer.add_param_group({"params": [("lm_head.weight", model.lm_head.weight)]})
    assert optimizer.state[model.embed_tokens.weight]["step"] == 2, "the others keep their state"
    run(model, optimizer, 2, 2)
    other = tiny(1)
    other.load_state_dict(model.state_dict())
    again = with_head(other, True)
    again.load_state_dict(optimizer.state_dict())
    run(model, optimizer, 4, 2)
    run(other, again, 4, 2)
    assert difference(model, other) == 0


def test_state_of_others_is_refused_by_one_line():
    model = tiny()
    optimizer = galore.optim.GaLoreAdamW(model, rank=4)
    with pytest.raises(ValueError, match="another one"):
        optimizer.load_state_dict(torch.optim.AdamW(model.parameters()).state_dict())
    saved = galore.optim.GaLoreAdamW(tiny(), rank=8).state_dict()
    run(model, optimizer, 0, 1)
    with pytest.raises(ValueError, match="expected"):
        wide = galore.optim.GaLoreAdamW(tiny(), rank=8)
        wide.load_state_dict(optimizer.state_dict())
    del saved["state"][0]
    with pytest.raises(ValueError, match="expected the state of embed_tokens.weight"):
        galore.optim.GaLoreAdamW(tiny(), rank=8).load_state_dict(saved)


def test_the_schedule_of_a_saved_run_goes_on():
    model = tiny()
    optimizer = galore.optim.GaLoreAdamW(model, lr=1e-2, rank=4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    for number in range(3):
        run(model, optimizer, number, 1)
        schedule.step()
    other, again = tiny(1), None
    other.load_state_dict(model.state_dict())
    again = galore.optim.GaLoreAdamW(other, lr=1e-2, rank=4)
    resumed = torch.optim.lr_scheduler.CosineAnnealingLR(again, 6)
    again.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert again.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] != 1e-2
    for number in range(3, 6):
        for pair in ((model, optimizer, schedule), (other, again, resumed)):
            run(pair[0], pair[1], number, 1)
            pair[2].step()
    assert difference(model, other) == 0 and weights(model)
