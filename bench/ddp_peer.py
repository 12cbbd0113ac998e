#!/usr/bin/env python3
"""Trains LLaMA 60M with PyTorch's DDP (gloo) and AdamW, one process of those that RANK and WORLD_SIZE name.

Process 0 prints tokens/s, and bytes of its own gradients. scripts/bench-distributed starts it.
"""

import argparse
import contextlib
import os
import resource
import time

import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel
from transformers import LlamaConfig, LlamaForCausalLM


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--micro-batches", type=int, default=1)
    parser.add_argument("--rows", type=int, default=4)
    arguments = parser.parse_args()
    torch.distributed.init_process_group("gloo")
    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    torch.set_num_threads(max(1, os.cpu_count() // size))
    config = LlamaConfig(vocab_size=32000, hidden_size=512, intermediate_size=1376, num_hidden_layers=8,
                         num_attention_heads=8, max_position_embeddings=1024, tie_word_embeddings=False)
    torch.manual_seed(0)
    model = DistributedDataParallel(LlamaForCausalLM(config))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
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
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{'DDP + AdamW':<28}{size:>3} processes {tokens / middle:9.0f} tokens/s "
              f"{8e-6 * numbers * (size - 1) / size:9.2f} MB sent {memory:24.0f} MiB")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
