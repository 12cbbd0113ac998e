#!/usr/bin/env python3
"""Measures the Python module beside the packages that it replaces, on weights of a 60m LLaMA.

    GALORE_CPP_LIBRARY=build/release/python/libgalore.so python bench/python_module.py [PART ...]

step     one step on the same gradients: medians of alternating rounds, with the refreshes' share of a gap of 200
engine   step() against the engine alone, which is what the program's own loop calls
memory   the bytes that plan() names against those that a run takes
import   modules and processor seconds beside torch's
trainer  tokens per second of the Trainer of transformers: torch's AdamW, galore_torch, ours plain, layer-wise, and
         with project_gradients()

Prints one JSON object per line. Packages that are not installed are left out.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "bench")]
GAP = 200
ROUNDS = 5
clock = time.perf_counter


def say(**entry):
    print(json.dumps(entry), flush=True)


def has(*packages):
    return all(importlib.util.find_spec(package) for package in packages)


def median_times(optimizers, steps=2):
    """Returns {name: seconds of a step}, from rounds in which the optimizers take turns."""
    times = {name: [] for name in optimizers}
    for _ in range(ROUNDS):
        for name, optimizer in optimizers.items():
            for _ in range(steps):
                start = clock()
                optimizer.step()
                times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def refresh_time(optimizer, gap):
    """Returns the seconds of the dearest of the steps of one gap."""
    longest = 0
    for _ in range(gap + 1):
        start = clock()
        optimizer.step()
        longest = max(longest, clock() - start)
    return longest


def low_rank_pairs():
    """Yields name, our optimizer and the peer's, each as a function of the parameters and the
    gap."""
    import galore_cpp as galore
    from optimizer_steps import groups

    words = {"rank": 128, "scale": 0.25, "proj_type": "std"}
    if has("galore_torch"):
        import galore_torch
        yield ("galore_adamw", lambda p, gap: galore.optim.GaLoreAdamW(groups(p, update_proj_gap=gap, **words), refresh="together"),
               lambda p, gap: galore_torch.GaLoreAdamW(groups(p, update_proj_gap=gap, **words), no_deprecation_warning=True))
    if has("apollo_torch"):
        import apollo_torch
        apollo = {"rank": 128, "proj_type": "std", "proj": "random", "scale_type": "channel", "scale": 1.0}
        yield ("apollo_adamw", lambda p, gap: galore.optim.APOLLOAdamW(groups(p, update_proj_gap=gap, **apollo)),
               lambda p, gap: apollo_torch.APOLLOAdamW(groups(p, update_proj_gap=gap, **apollo)))


def measure_low_rank():
    from optimizer_steps import parameters

    import torch
    for name, ours, theirs in low_rank_pairs():
        plain = median_times({"ours": ours(parameters(torch), 10**6), "peer": theirs(parameters(torch), 10**6)})
        refresh = {kind: refresh_time(make(parameters(torch), 3), 3) for kind, make in (("ours", ours), ("peer", theirs))}
        mean = {kind: plain[kind] + max(0, refresh[kind] - plain[kind]) / GAP for kind in plain}
        say(part="step", name=name, ours=mean["ours"], peer=mean["peer"], ratio=mean["peer"] / mean["ours"],
            plain=plain, refresh=refresh)


def measure_full_rank():
    import galore_cpp as galore
    from optimizer_steps import parameters

    import torch
    pairs = {"adamw, torch fused": (galore.optim.AdamW, lambda p: torch.optim.AdamW(p, fused=True))}
    if has("bitsandbytes"):
        import bitsandbytes
        pairs["adamw_8bit, bitsandbytes"] = galore.optim.AdamW8bit, lambda p: bitsandbytes.optim.AdamW8bit(p)
    if has("torchao"):
        import torchao.optim
        pairs["adamw_8bit, torchao"] = galore.optim.AdamW8bit, lambda p: torchao.optim.AdamW8bit(p)
    for name, (ours, theirs) in pairs.items():
        optimizers = {"ours": ours(parameters(torch).values()), "peer": theirs(list(parameters(torch).values()))}
        first = {}
        for kind, optimizer in optimizers.items():
            start = clock()
            optimizer.step()
            first[kind] = clock() - start
        times = median_times(optimizers)
        say(part="step", name=name, **times, ratio=times["peer"] / times["ours"], first=first["peer"] / first["ours"])


def measure_steps():
    measure_low_rank()
    measure_full_rank()


class EngineAlone:
    """The engine of an optimizer, called without the class around it."""

    def __init__(self, optimizer):
        self.engine = optimizer._engine

    def step(self):
        self.engine.step()


def measure_engine():
    import galore_cpp as galore
    from optimizer_steps import parameters

    import torch
    for name in ("adamw_torch", "galore_adamw"):
        optimizer = galore.optim.from_name(list(parameters(torch).items()), name)
        times = median_times({"class": optimizer, "engine": EngineAlone(optimizer)})
        say(part="engine", name=name, **times, more=times["class"] - times["engine"])


def llama():
    import torch
    import transformers
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=32000, hidden_size=512, intermediate_size=1376, num_hidden_layers=8, num_attention_heads=8,
        max_position_embeddings=256))


def measure_memory():
    import galore_cpp as galore

    import torch
    model = llama()
    for name in ("galore_adamw_8bit", "galore_adamw_8bit_layerwise", "adamw_torch"):
        optimizer = galore.optim.from_name(model, name)
        ids = torch.randint(0, 32000, (1, 32))
        model(ids, labels=ids).loss.backward()
        optimizer.step()
        model.zero_grad()
        planned, taken = galore.optim.plan(model, name)[name], optimizer.memory()
        owners = ("master_weights", "moments", "bases", "workspace")
        say(part="memory", name=name, planned=sum(planned[o] for o in owners), taken=sum(taken[o] for o in owners))


def measure_import():
    for package in ("galore_cpp.optim", "galore_torch", "bitsandbytes", "torchao.optim"):
        code = (f"import torch, sys, time; n = len(sys.modules); t = time.process_time(); import {package}; "
                "print(len(sys.modules) - n, time.process_time() - t)")
        runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                               env={**os.environ, "PYTHONPATH": str(ROOT / "python")}).stdout.split() for _ in range(3)]
        if all(runs):
            say(part="import", name=package, modules=int(runs[0][0]), seconds=statistics.median(float(r[1]) for r in runs))


def trainer_seconds(kind, folder):
    """Returns the seconds of an update by the Trainer, from the second update on."""
    import galore_cpp as galore

    import torch
    import transformers
    ids = torch.randint(0, 32000, (256, 256), generator=torch.Generator().manual_seed(0))
    stamps = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *arguments, **kwargs):
            stamps.append(clock())

    given = {"optim": "galore_adamw", "optim_target_modules": ["attn", "mlp"],
             "optim_args": "rank=128, update_proj_gap=200, scale=0.25"} if kind == "galore_torch" else {}
    args = transformers.TrainingArguments(output_dir=folder, per_device_train_batch_size=2, max_steps=6, report_to=[], use_cpu=True,
                                          disable_tqdm=True, save_strategy="no", max_grad_norm=0.0, logging_steps=100, **given)
    model, ours = llama(), {}
    if kind in ("plain", "layerwise", "projected"):
        name = "galore_adamw" + ("" if kind == "plain" else "_layerwise")
        ours = galore.hf.trainer(model, name, rank=128, target_modules=["attn", "mlp"])
    trainer = transformers.Trainer(model, args, train_dataset=[{"input_ids": row, "labels": row} for row in ids], **ours)
    trainer.add_callback(Clock())
    if kind == "projected":
        galore.optim.project_gradients(model, trainer.create_optimizer())
    trainer.train()
    return statistics.median(after - before for before, after in zip(stamps[1:], stamps[2:]))


def measure_trainer():
    kinds = ["adamw", "plain", "layerwise", "projected"] + (["galore_torch"] if has("galore_torch") else [])
    with tempfile.TemporaryDirectory() as folder:
        rounds = [{kind: trainer_seconds(kind, folder) for kind in kinds} for _ in range(2)]
    seconds = {kind: min(found[kind] for found in rounds) for kind in kinds}
    say(part="trainer", tokens_per_second={kind: 512 / value for kind, value in seconds.items()})


PARTS = {"step": measure_steps, "engine": measure_engine, "memory": measure_memory, "import": measure_import,
         "trainer": measure_trainer}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor-time", action="store_true", help="on a busy machine: seconds of the processor, user and "
                        "system, which mean most with one thread")
    args = parser.parse_args()
    chosen = args.parts or list(PARTS)
    if args.processor_time:
        global clock
        clock = time.process_time
    import torch
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    say(torch=torch.__version__, threads=args.threads, cores=os.cpu_count(), clock=clock.__name__)
    for part in chosen:
        PARTS[part]()


if __name__ == "__main__":
    main()
