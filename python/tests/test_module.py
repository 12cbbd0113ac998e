"""The package itself: generated classes, plan, errors, threads, memory."""

import gc
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest
import torch
from conftest import Tiny, batch, difference, run, tiny, weights

import galore_cpp as galore
from galore_cpp import _library

PYTHON = pathlib.Path(galore.__file__).resolve().parents[1]


def in_new_process(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment})


def test_generated_classes_are_those_of_the_tables(monkeypatch):
    sys.path.insert(0, str(PYTHON))
    if not (PYTHON / "generate.py").exists():
        pytest.skip("an installed package has no generator")
    import generate
    tables = json.loads(_library.preset_table())
    assert generate.TARGET.read_text(encoding="utf-8") == generate.written(tables)
    assert len(tables["presets"]) == len(set(galore.optim.CLASSES.values()))


def test_types_are_checked(tmp_path):
    pytest.importorskip("mypy")
    sample = tmp_path / "sample.py"
    sample.write_text("import torch\nfrom galore_cpp.optim import GaLoreAdamW8bit, from_name\n"
                      "model = torch.nn.Linear(4, 4)\n"
                      "good = GaLoreAdamW8bit(model.named_parameters(), lr=1e-3, rank=8, proj_type='left')\n"
                      "norm: float = good.last_update.gradient_norm if good.last_update else 0.0\n"
                      "also: torch.optim.Optimizer = from_name([{'params': model.parameters(), 'rank': 2}], 'muon')\n"
                      "bad = GaLoreAdamW8bit(model, rank='8', proj_type='sideways')\n"
                      "import galore_cpp as galore\n"
                      "run: galore.TrainResult = galore.train({'max_steps': 3}, callback=print, learning_rate=1e-3)\n"
                      "text: str = galore.load_model(run.output_dir).generate('a', max_new_tokens=3)\n"
                      "ids: list[int] = galore.load_model('x').generate([1, 2])\n"
                      "more: list[int] = galore.Tokenizer.from_pretrained('x').apply_chat_template([{'role': 'user'}])\n")
    found = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(sample)],
                           capture_output=True, text=True, check=False, env={**os.environ, "MYPYPATH": str(PYTHON)})
    errors = [line for line in found.stdout.splitlines() if "error:" in line]
    assert len(errors) == 2 and all("sample.py:7:" in line for line in errors), found.stdout
    assert "rank" in errors[0] and "proj_type" in errors[1]


def test_names_and_options_are_suggested():
    model = tiny()
    with pytest.raises(ValueError, match="nearest known one is 'galore_adamw'"):
        galore.optim.from_name(model, "galore_adam")
    with pytest.raises(ValueError, match="nearest known one is 'rank'"):
        galore.optim.from_name(model, "galore_adamw", rnk=3)
    with pytest.raises(ValueError, match=r"^\[.*proj_type: expected .* given 'sideways'"):
        galore.optim.GaLoreAdamW(model, proj_type="sideways")
    with pytest.raises(ValueError, match="no parameter is projected"):
        galore.optim.GaLoreAdamW(model.parameters())
    with pytest.raises(ValueError, match="match a matrix, given 'attention'"):
        galore.optim.GaLoreAdamW(model, target_modules=["attention"])
    with pytest.raises(ValueError, match="expected layerwise=True with max_grad_norm"):
        galore.optim.GaLoreAdamW(model, max_grad_norm=1.0)
    with pytest.raises(ValueError, match="float32, bfloat16 or float16, given Double"):
        galore.optim.AdamW(tiny(dtype=torch.float64))
    with pytest.raises(ValueError, match="expected at least one parameter"):
        galore.optim.AdamW([])
    with pytest.raises(ValueError, match="at least one parameter that requires a gradient"):
        galore.optim.AdamW(tiny().requires_grad_(False))
    with pytest.raises(ValueError, match="occurs twice"):
        galore.optim.AdamW([{"params": [("w", model.lm_head.weight)]}, {"params": [("w", model.embed_tokens.weight)]}])


def test_sparse_gradients_are_refused_before_a_weight_changes():
    layer = torch.nn.Embedding(10, 4, sparse=True)
    optimizer, before = galore.optim.AdamW(layer), weights(layer)
    layer(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match="weight: expected a dense gradient, given a sparse one"):
        optimizer.step()
    assert torch.equal(before["weight"], layer.weight)


def test_another_torch_is_refused_by_one_line(tmp_path):
    code = ("import torch; torch.__version__ = '1.99.0'\ntry:\n    import galore_cpp.optim\nexcept ImportError as error:\n"
            "    print(error)")
    found = in_new_process(code, GALORE_CPP_LIBRARY="")
    assert "given torch 1.99.0" in found.stdout and "pip install ./python" in found.stdout, found.stderr
    assert found.stdout.count("\n") == 1


def test_import_is_small():
    code = ("import torch, sys, time\nbefore = set(sys.modules)\nstart = time.process_time()\nimport galore_cpp.optim\n"
            "print(len(set(sys.modules) - before), 'transformers' in sys.modules)")
    count, transformers = in_new_process(code).stdout.split()
    assert int(count) <= 20 and transformers == "False"


def test_from_spec_is_the_preset_of_its_parts():
    composed, named = tiny(), tiny()
    options = {"lr": 1e-2, "rank": 4, "update_proj_gap": 2}
    run(composed, galore.optim.from_spec(composed, {"method": "galore_adamw", **options}), 0, 4)
    run(named, galore.optim.GaLoreAdamW(named, **options), 0, 4)
    assert difference(composed, named) == 0
    muon = galore.optim.from_spec(tiny(), {"method": "muon", "storage": "blockwise_8bit", "lr": 2e-2, "min_8bit_size": 0})
    assert any(value.dtype == torch.uint8 for state in muon.state.values() for value in state.values())
    with pytest.raises(ValueError, match="'rule', 'method' or 'optim'"):
        galore.optim.from_spec(tiny(), {"storage": "blockwise_8bit"})


@pytest.mark.parametrize("name", ["galore_adamw_8bit", "galore_adamw_8bit_layerwise", "adamw_torch", "muon_layerwise"])
def test_plan_is_what_a_run_takes(name):
    model = Tiny(width=64, tokens=256)
    options = {"rank": 16} if "galore" in name else {}
    optimizer = galore.optim.from_name(model, name, **options)
    run(model, optimizer, 0, 1)
    planned, measured = galore.optim.plan(model, name, **options)[name], optimizer.memory()
    for owner in ("moments", "bases", "workspace"):
        assert planned[owner] == measured[owner], owner
    assert planned["weights"] == sum(parameter.nbytes for parameter in model.parameters())
    assert name in str(galore.optim.plan(model, name, "adamw_torch"))


def test_wrappers_leave_names_as_they_are():
    model = tiny()
    names = list(galore.optim.AdamW(torch.nn.DataParallel(model))._parameters)
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    compiled = torch.compile(model, backend="aot_eager")
    assert list(galore.optim.AdamW(compiled)._parameters) == names


def test_optimizers_work_in_threads_at_once():
    alone, together = [tiny(k) for k in range(3)], [tiny(k) for k in range(3)]

    def train(model):
        torch.set_num_threads(1)
        run(model, galore.optim.GaLoreAdamW(model, lr=1e-2, rank=4, update_proj_gap=2), 0, 6)

    for model in alone:
        train(model)
    threads = [threading.Thread(target=train, args=(model,)) for model in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [difference(a, b) for a, b in zip(alone, together)] == [0, 0, 0]


def test_an_exception_in_a_hook_leaves_the_optimizer_usable():
    model = tiny()
    optimizer = galore.optim.GaLoreAdamW(model, rank=4, layerwise=True)
    handle = model.embed_tokens.weight.register_hook(lambda gradient: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.loss(batch(0)).backward()
    handle.remove()
    optimizer.zero_grad()
    run(model, optimizer, 0, 2)
    assert all(state["step"] >= 2 for state in optimizer.state.values())


def test_memory_is_constant():
    resource = pytest.importorskip("resource")
    model = tiny()
    for _ in range(50):
        galore.optim.GaLoreAdamW(model, rank=4)
    optimizer = galore.optim.GaLoreAdamW(model, rank=4)
    run(model, optimizer, 0, 20)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(300):
        galore.optim.GaLoreAdamW(model, rank=4)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    for _ in range(1000):
        optimizer.step()
    # One engine has 0.4 MB here; the allocator's arenas may still grow by a few.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_hooks_go_with_their_optimizer():
    model = tiny()
    for _ in range(3):
        optimizer = galore.optim.GaLoreAdamW(model, rank=4, layerwise=True)
        galore.optim.project_gradients(model, optimizer)
    assert {len(parameter._post_accumulate_grad_hooks) for parameter in model.parameters()} == {1}
    run(model, optimizer, 0, 1)
    del optimizer
    model.loss(batch(0)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_grad_scaler_steps_plain_optimizers_and_names_bf16_to_others():
    model, scaled = tiny(), tiny()
    plain = galore.optim.GaLoreAdamW(model, rank=4)
    run(model, plain, 0, 3)
    scaler, optimizer = torch.amp.GradScaler("cpu", init_scale=2.0**8), galore.optim.GaLoreAdamW(scaled, rank=4)
    for number in range(3):
        scaler.scale(scaled.loss(batch(number))).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert difference(model, scaled) == 0  # the scale is a power of two
    layerwise = galore.optim.GaLoreAdamW(tiny(), rank=4, layerwise=True)
    with pytest.raises(ValueError, match="bf16"):
        scaler.step(layerwise)


def test_layerwise_clips_and_reports_the_true_norm():
    model, reference = tiny(), tiny()
    optimizer = galore.optim.GaLoreAdamW(model, rank=4, layerwise=True, max_grad_norm=1e-3)
    for number in range(2):
        reference.load_state_dict(model.state_dict())
        reference.zero_grad()
        reference.loss(batch(number)).backward()
        norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in reference.parameters()]).item()
        run(model, optimizer, number, 1)
        report = optimizer.last_update
        assert not report.norm_is_projected and report.gradient_norm == pytest.approx(norm, rel=1e-5)
    assert report.clip_factor == pytest.approx(1e-3 / norm, rel=0.5), "by the norm of the update before"


def test_a_file_of_the_program_is_read(tmp_path):
    model = tiny()
    optimizer = galore.optim.GaLoreAdamW(model, rank=4)
    run(model, optimizer, 0, 2)
    optimizer.save(tmp_path / "optimizer.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["optimizer.safetensors"]
    with open(tmp_path / "optimizer.safetensors", "r+b") as file:
        file.truncate(2000)
    with pytest.raises((ValueError, json.JSONDecodeError), match="expected|delimiter|Unterminated"):
        optimizer.load(tmp_path / "optimizer.safetensors")
