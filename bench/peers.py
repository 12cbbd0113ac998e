#!/usr/bin/env python3
"""Compares training speed with transformers and galore_torch: same model, batch and threads.

    scripts/bench-peers [--rounds 2] [--steps 5] [--dtype float32|bfloat16] [--compile] [--size 60m]
                        [--device cuda]

Runs of both programs alternate. The model is GaLore's LLaMA of the given size (random weights,
random tokens, vocabulary 32000), with a batch of 8 x 256 and GaLore AdamW with rank 128, gap 200,
scale 0.25, std and rate 0.01. Prints one JSON object per line on stdout: "machine" first, then
every run with the keys of `galore bench --json`, then "summary" with medians over the rounds and
the ratios ours / theirs.

A run's step time is the median over its steps without a refresh. The first step refreshes every
basis; its optimizer time beyond the median is refresh_seconds, and tokens_per_second_with_refresh
spreads it over the gap. On a device, every time measurement waits for it, and memory is that of its
tensors, on both sides.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# hidden, intermediate, heads, layers, rank: the configurations of the authors' repository
SIZES = {"60m": (512, 1376, 8, 8, 128), "130m": (768, 2048, 12, 12, 256), "350m": (1024, 2736, 16, 24, 256),
         "1b": (2048, 5461, 32, 24, 512)}
GAP = 200
FIGURES = ("tokens_per_second", "tokens_per_second_with_refresh", "step_seconds", "optimizer_seconds", "refresh_seconds",
           "peak_share", "peak_memory_bytes", "first_step_seconds")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="60m")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5, help="timed steps a run, after the one that refreshes")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--table", action="store_true", help="also a row of a Markdown table (scripts/check-gpu)")
    parser.add_argument("--compile", action="store_true", help="torch.compile the peer's model")
    parser.add_argument("--subspace", default="svd", help="ours; the peer knows only svd")
    parser.add_argument("--layerwise", action="store_true", help="ours with optim_layerwise")
    parser.add_argument("--galore", default=str(ROOT / "build/release/galore"))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def now(args, torch):
    """Returns the time after all work that was queued on the device is done."""
    if args.device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def matmul_flops_per_second(args, torch):
    size = 2048 if args.device == "cpu" else 8192
    a = torch.randn(size, size, dtype=getattr(torch, args.dtype), device=args.device)
    times = []
    for _ in range(5):
        start = now(args, torch)
        a @ a
        times.append(now(args, torch) - start)
    return 2 * size**3 / min(times)


def peak_memory(args, torch):
    if args.device != "cpu":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def step_flops(args):
    """Returns the operations of a step's matrix products, forward and backward: weights, head and
    attention scores (causal attention counted as full).
    """
    hidden, intermediate, _, layers, _ = SIZES[args.size]
    matrices = layers * (4 * hidden**2 + 3 * hidden * intermediate) + 32000 * hidden
    return args.batch * args.length * (6 * matrices + 12 * layers * args.length * hidden)


def peer_model(args, torch):
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, intermediate, heads, layers, _ = SIZES[args.size]
    config = LlamaConfig(vocab_size=32000, hidden_size=hidden, intermediate_size=intermediate, num_attention_heads=heads,
                         num_hidden_layers=layers, max_position_embeddings=1024, rms_norm_eps=1e-6, use_cache=False,
                         initializer_range=0.02, attn_implementation="sdpa")
    return LlamaForCausalLM(config).to(device=args.device, dtype=getattr(torch, args.dtype)).train()


def peer_optimizer(args, model):
    from galore_torch import GaLoreAdamW

    projected = [m.weight for n, m in model.named_modules()
                 if m.__class__.__name__ == "Linear" and ("attn" in n or "mlp" in n)]
    known = {id(p) for p in projected}
    group = {"params": projected, "rank": SIZES[args.size][4], "update_proj_gap": GAP, "scale": 0.25, "proj_type": "std"}
    rest = {"params": [p for p in model.parameters() if id(p) not in known]}
    return GaLoreAdamW([rest, group], lr=0.01, weight_decay=0, no_deprecation_warning=True)


def worker(args):
    """Measures one run of the peer in this process."""
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = peer_model(args, torch)
    optimizer = peer_optimizer(args, model)
    run = torch.compile(model) if args.compile else model
    steps, updates = [], []
    for _ in range(args.steps + 1):
        tokens = torch.randint(0, 32000, (args.batch, args.length), device=args.device)
        start = now(args, torch)
        loss = run(input_ids=tokens, labels=tokens).loss
        loss.backward()
        middle = now(args, torch)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        end = now(args, torch)
        steps.append(end - start)
        updates.append(end - middle)
        print(f"peers: step {len(steps)}: {steps[-1]:.2f} s, loss {loss.item():.3f}", file=sys.stderr)
    step, update = statistics.median(steps[1:]), statistics.median(updates[1:])
    refresh, tokens = max(0.0, updates[0] - update), args.batch * args.length
    memory = peak_memory(args, torch)  # before the products that measure the peak rate
    flops = matmul_flops_per_second(args, torch)
    return {"tokens_per_second": tokens / step, "tokens_per_second_with_refresh": tokens / (step + refresh / GAP),
            "step_seconds": step, "optimizer_seconds": update, "refresh_seconds": refresh,
            "peak_share": step_flops(args) / step / flops, "first_step_seconds": steps[0],
            "peak_memory_bytes": memory, "all_step_seconds": steps}


def last_json(command, environment):
    print("$", *command, file=sys.stderr)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def environment_of(args):
    return {**os.environ, "OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads),
            "HF_HUB_OFFLINE": "1"}


def peer_command(args):
    command = [sys.executable, __file__, "--worker"]
    for key in ("size", "steps", "batch", "length", "threads", "dtype", "device"):
        command += [f"--{key}", str(getattr(args, key))]
    return command + (["--compile"] if args.compile else [])


def our_command(args):
    options = f"rank={SIZES[args.size][4]},update_proj_gap={GAP},scale=0.25,proj_type=std,subspace={args.subspace}"
    command = [args.galore, "bench", "--model_size", args.size, "--optim", "galore_adamw", "--optim_args", options]
    command += ["--learning_rate", "0.01", "--per_device_train_batch_size", str(args.batch), "--max_length",
                str(args.length), "--dtype", args.dtype, "--threads", str(args.threads), "--device",
                args.device, "--bench_steps", str(args.steps + 1), "--json"]
    return command + (["--optim_layerwise", "true"] if args.layerwise else [])


def machine():
    import torch
    import transformers

    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    return {"machine": {"cpu": cpu, "cores": os.cpu_count(), "load": os.getloadavg()[0], "system": platform.platform(),
                        "torch": torch.__version__, "transformers": transformers.__version__, "galore_torch": "1.0",
                        "cpu_capability": torch.backends.cpu.get_cpu_capability(), "commit": commit.strip(),
                        "time": time.strftime("%Y-%m-%d %H:%M:%S %z")}}


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in FIGURES if all(key in run for run in runs)}


def table_row(args, peer, ours):
    def ratio(key):
        return f"{ours[key] / peer[key]:.2f}"

    cells = [args.size, f"{peer['tokens_per_second']:.0f}", f"{ours['tokens_per_second']:.0f}", ratio("tokens_per_second"),
             ratio("tokens_per_second_with_refresh"), f"{peer['refresh_seconds']:.2f}", f"{ours['refresh_seconds']:.2f}",
             ratio("peak_memory_bytes")]
    return f"| {' | '.join(cells)} |"


def compare(args):
    print(json.dumps(machine()), flush=True)
    runs = {"peer": [], "ours": []}
    for number in range(args.rounds):
        for name, command in (("peer", peer_command(args)), ("ours", our_command(args))):
            result = last_json(command, environment_of(args))
            runs[name].append(result)
            print(json.dumps({"run": name, "round": number, **result}), flush=True)
    peer, ours = medians(runs["peer"]), medians(runs["ours"])
    ratios = {f"{key}_ratio": round(ours[key] / peer[key], 3) for key in FIGURES
              if key in ours and peer.get(key)}
    settings = {k: v for k, v in vars(args).items() if k not in ("worker", "galore", "table")}
    print(json.dumps({"summary": {"settings": settings, "peer": peer, "ours": ours, **ratios}}))
    if args.table:
        print(table_row(args, peer, ours))


if __name__ == "__main__":
    given = arguments()
    if given.worker:
        print(json.dumps(worker(given)))
    else:
        compare(given)
