"""The trainers of others: transformers, TRL, accelerate, Lightning, torch's own data parallelism
and checkpoints."""

import importlib.util
import os
import pathlib
import sys

import pytest
import torch
from conftest import batch, difference, run, tiny

import galore_cpp as galore

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))


def needs(*packages):
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def test_plain_loop(tmp_path):
    import plain_loop
    losses = plain_loop.main(str(tmp_path / "checkpoint.pt"))
    assert len(losses) == 6 and losses == plain_loop.main() and max(losses[3:]) < min(losses[:3])


@needs("accelerate")
def test_accelerate_counts_micro_batches():
    import accelerate_loop
    layerwise, plain = accelerate_loop.main(True), accelerate_loop.main(False)
    for a, b in zip(layerwise, plain):
        assert (a - b).norm() < 1e-4 * b.norm()  # sums of projections, and projections of sums


@needs("lightning")
@pytest.mark.parametrize("accumulation", [1, 3])
def test_lightning(accumulation, tmp_path):
    import lightning_module
    layerwise, plain = [lightning_module.main(kind, accumulation) for kind in (True, False)]
    assert difference(layerwise.net, plain.net) < (1e-4 if accumulation > 1 else 1e-6)
    lightning_module.main(True, accumulation, epochs=1, save=str(tmp_path / "half.ckpt"))
    resumed = lightning_module.main(True, accumulation, resume=str(tmp_path / "half.ckpt"))
    assert difference(layerwise.net, resumed.net) == 0


def hf_run(tmp_path, name, optim, dtype=torch.float32, resume=None, **arguments):
    import hf_trainer
    model = hf_trainer.small_model().to(dtype)
    trainer = hf_trainer.trainer(str(tmp_path / name), optim, model, **arguments)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


@needs("transformers", "accelerate")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("optim", ["galore_adamw_8bit", "galore_adamw_8bit_layerwise", "apollo_adamw_layerwise"])
def test_trainer_resumes_to_the_bit(tmp_path, optim, dtype):
    whole = hf_run(tmp_path, "whole", optim, dtype)
    resumed = hf_run(tmp_path, "resumed", optim, dtype, resume=str(tmp_path / "whole" / "checkpoint-4"))
    assert difference(whole.model, resumed.model) == 0
    assert resumed.state.global_step == 8


@needs("transformers", "accelerate")
@pytest.mark.parametrize("accumulation", [1, 4])
def test_trainer_in_both_drivers(tmp_path, accumulation):
    # 15 micro-batches an epoch: with accumulation 4 the last update of an epoch has 3.
    options = {"gradient_accumulation_steps": accumulation, "max_grad_norm": 0.0}
    plain = hf_run(tmp_path, "plain", "galore_adamw", **options)
    layerwise = hf_run(tmp_path, "layerwise", "galore_adamw_layerwise", **options)
    assert difference(plain.model, layerwise.model) < (1e-4 if accumulation > 1 else 1e-6)


@needs("transformers", "accelerate")
def test_trainer_with_projected_gradients(tmp_path):
    import hf_trainer
    plain = hf_run(tmp_path, "plain", "galore_adamw_layerwise", gradient_accumulation_steps=2)
    trainer = hf_trainer.trainer(str(tmp_path / "projected"), "galore_adamw_layerwise", hf_trainer.small_model(),
                                 gradient_accumulation_steps=2)
    assert galore.optim.project_gradients(trainer.model, trainer.create_optimizer()) == 15
    trainer.train()
    assert difference(plain.model, trainer.model) < 1e-3
    assert difference(plain.model, hf_trainer.small_model()) > 1e-2


@needs("transformers", "accelerate")
def test_trainer_logs_the_true_norm(tmp_path):
    plain = hf_run(tmp_path, "plain", "galore_adamw", max_grad_norm=1e9)
    layerwise = hf_run(tmp_path, "layerwise", "galore_adamw_layerwise", max_grad_norm=1e9)
    norms = [[entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
             for trainer in (plain, layerwise)]
    assert norms[1] == pytest.approx(norms[0], rel=1e-4) and len(norms[0]) == 8 and min(norms[0]) > 0


@needs("transformers", "accelerate")
def test_trainer_arguments_choose_the_optimizer(tmp_path):
    import hf_trainer
    import transformers
    args = transformers.TrainingArguments(
        output_dir=str(tmp_path), optim="galore_adamw", optim_args="rank=3, scale=0.5, proj_type=left",
        optim_target_modules=["mlp"], learning_rate=3e-3, adam_beta1=0.8, weight_decay=0.2, report_to=[], use_cpu=True)
    trainer = transformers.Trainer(hf_trainer.small_model(), args, train_dataset=hf_trainer.rows(),
                                   **galore.hf.trainer(hf_trainer.small_model()))
    optimizer = trainer.create_optimizer()
    group = optimizer.param_groups[0]
    assert isinstance(optimizer, galore.optim.GaLoreAdamW)
    assert (group["rank"], group["scale"], group["proj_type"], group["lr"], group["betas"], group["eps"]) == (
        3, 0.5, "left", 3e-3, (0.8, 0.999), 1e-6)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.2, 0.0]
    assert sum(optimizer._engine.projected()) == 6


@needs("transformers", "accelerate", "trl", "datasets")
def test_trl(tmp_path):
    import trl_sft
    log = trl_sft.main(str(tmp_path))
    assert len([entry for entry in log if entry.get("grad_norm", 0) > 0]) == 3


def test_distributed_checkpoint_resumes_to_the_bit(tmp_path):
    from torch.distributed import checkpoint
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

    def make(model):
        return galore.optim.GaLoreAdamW8bit(model, lr=1e-2, rank=4, update_proj_gap=2, min_8bit_size=0)

    model = tiny()
    optimizer = make(model)
    run(model, optimizer, 0, 3)
    checkpoint.save(get_optimizer_state_dict(model, optimizer), checkpoint_id=tmp_path, no_dist=True)
    other = tiny(1)
    other.load_state_dict(model.state_dict())
    again = make(other)
    run(tiny(), make(tiny()), 0, 1)
    empty = get_optimizer_state_dict(model, optimizer)
    state = {"state": {name: {key: torch.zeros_like(value) for key, value in values.items()}
                       for name, values in empty["state"].items()}, "param_groups": empty["param_groups"]}
    checkpoint.load(state, checkpoint_id=tmp_path, no_dist=True)
    set_optimizer_state_dict(other, again, state)
    run(model, optimizer, 3, 3)
    run(other, again, 3, 3)
    assert difference(model, other) == 0


def two_processes(rank, folder):
    os.environ.update(MASTER_ADDR="127.0.0.1", GLOO_SOCKET_IFNAME="lo")
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.set_num_threads(1)
    options = {"lr": 1e-2, "rank": 4, "update_proj_gap": 2}
    # The last weights become those of process 0.
    plain, refused, layerwise = tiny(), tiny(), tiny(seed=rank)

    def trained(model, optimizer, wrapped):
        for number in range(4):
            wrapped(batch(2 * number + rank)).pow(2).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        return model.state_dict()

    found = {"plain": trained(plain, galore.optim.GaLoreAdamW(plain, **options), torch.nn.parallel.DistributedDataParallel(plain))}
    with pytest.raises(ValueError, match="expected one process with layerwise=True, or average_over"):
        trained(refused, galore.optim.GaLoreAdamW(refused, layerwise=True, **options), refused)
    optimizer, sizes, reduce = galore.optim.GaLoreAdamW(layerwise, layerwise=True, **options), [], torch.distributed.all_reduce
    optimizer.average_over()
    torch.distributed.all_reduce = lambda x, **more: (sizes.append(x.numel()), reduce(x, **more))
    found["layerwise"] = trained(layerwise, optimizer, layerwise)
    with pytest.raises(ValueError, match="without average_over"):
        galore.optim.project_gradients(layerwise, optimizer)
    torch.save({**found, "sizes": sizes}, f"{folder}/found-{rank}.pt")
    torch.distributed.barrier()  # neither process closes the connections that the other one still uses
    torch.distributed.destroy_process_group()


def test_data_parallelism_keeps_processes_equal(tmp_path):
    torch.multiprocessing.spawn(two_processes, (str(tmp_path),), nprocs=2)
    first, second = [torch.load(tmp_path / f"found-{rank}.pt") for rank in (0, 1)]
    for kind in ("plain", "layerwise"):
        assert all(torch.equal(value, second[kind][name]) for name, value in first[kind].items())
        assert not torch.equal(first[kind]["lm_head.weight"], tiny().lm_head.weight)
    for name, value in first["plain"].items():  # sums in another order
        assert torch.allclose(value, first["layerwise"][name], rtol=1e-4, atol=1e-6), name
    # A matrix of 24 x 48 is exchanged in full where its basis is due, and as 48 x 4 in the other
    # updates.
    matrices = [name for name in tiny().state_dict() if name.endswith("_proj.weight")]
    narrow = first["sizes"].count(48 * 4)
    assert narrow >= len(matrices) and narrow + first["sizes"].count(24 * 48) == 4 * len(matrices)
    assert len(first["sizes"]) == 4 * len(tiny().state_dict())


def test_parts_of_tensors_are_refused(monkeypatch):
    from torch.distributed.tensor import distribute_tensor, init_device_mesh
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        layer = torch.nn.Linear(4, 4)
        layer.weight = torch.nn.Parameter(distribute_tensor(layer.weight.detach(), init_device_mesh("cpu", (1,))))
        with pytest.raises(ValueError, match="weight: expected a whole tensor, given a DTensor"):
            galore.optim.AdamW(layer)
    finally:
        torch.distributed.destroy_process_group()
    with pytest.raises(ValueError, match="given an empty one"):
        galore.optim.AdamW([("w", torch.nn.Parameter(torch.ones(0)))])


@pytest.mark.parametrize("layerwise", [False, True])
def test_gradient_checkpointing_and_compiled_models(layerwise):
    models = [tiny() for _ in range(3)]
    optimizers = [galore.optim.GaLoreAdamW(model, lr=1e-2, rank=4, layerwise=layerwise) for model in models]

    def recomputed(block):
        original = type(block).forward

        def forward(x):
            return torch.utils.checkpoint.checkpoint(lambda y: original(block, y), x, use_reentrant=False)
        return forward

    for block in models[1].layers:
        block.forward = recomputed(block)
    compiled = torch.compile(models[2], backend="aot_eager")
    for number in range(3):
        for model, optimizer in zip([*models[:2], compiled], optimizers):
            logits = model(batch(number))
            torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch(number)[:, 1:].flatten()).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert difference(models[0], models[1]) == 0 and difference(models[0], models[2]) < 1e-5
