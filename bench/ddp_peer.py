#!/usr/bin/env python3
"""Trains LLaMA with PyTorch's DDP (gloo), one process of those that RANK and WORLD_SIZE name.

The optimizer is AdamW or galore_torch's GaLoreAdamW (rank 128, a refresh every 200 updates).
Process 0 prints tokens/s and the megabytes of gradients that it sends in an update.
scripts/bench-distributed starts it.
"""

import argparse
import contextlib
import os
import time

import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel
from transformers import LlamaConfig, LlamaForCausalLM

# Hidden size, MLP size, layers and heads of the models of the GaLore paper.
SIZES = {"60m": (512, 1376, 8, 8), "130m": (768, 2048, 12, 12)}


def make_optimizer(name, model):
    if name == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    from galore_torch import GaLoreAdamW

    projected = [p for n, p in model.named_parameters() if p.dim() == 2 and ("self_attn" in n or "mlp" in n)]
    own = {id(p) for p in projected}
    others = [p for p in model.parameters() if id(p) not in own]
    groups = [{"params": others},
              {"params": projected, "rank": 128, "update_proj_gap": 200, "scale": 0.25, "proj_type": "std"}]
    return GaLoreAdamW(groups, lr=1e-3, no_deprecation_warning=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="60m")
    parser.add_argument("--optimizer", choices=("adamw", "galore"), default="adamw")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--micro-batches", type=int, default=1)
    parser.add_argument("--rows", type=int, default=4)
    arguments = parser.parse_args()
    torch.distributed.init_process_group("gloo")
    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    torch.set_num_threads(max(1, os.cpu_count() // size))
    hidden, mlp, layers, heads = SIZES[arguments.size]
    config = LlamaConfig(vocab_size=32000, hidden_size=hidden, intermediate_size=mlp, num_hidden_layers=layers,
                         num_attention_heads=heads, max_position_embeddings=1024, tie_word_embeddings=False)
    torch.manual_seed(0)
    model = DistributedDataParallel(LlamaForCausalLM(config))
    optimizer = make_optimizer(arguments.optimizer, model)
    seconds = []
    for _ in range(arguments.steps):
        start = time.monotonic()
        for micro_batch in range(arguments.micro_batches):
            ids = torch.randint(0, 16000, (arguments.rows, 256))
            last = micro_batch + 1 == arguments.micro_batches
            with contextlib.nullcontext() if last else model.no_sync():
                (model(ids, labels=ids).loss / arguments.micro_batches).backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.monotonic() - start)
    if rank == 0:
        middle = sorted(seconds[2:])[len(seconds[2:]) // 2]
        tokens = arguments.rows * 256 * arguments.micro_batches * size
        numbers = sum(p.numel() for p in model.parameters())
        print(f"{tokens / middle:.1f} {8e-6 * numbers * (size - 1) / size:.3f}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
