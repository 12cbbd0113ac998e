#!/usr/bin/env python3
"""Writes schedules.json: learning rates of transformers' get_scheduler, and of the GaLore authors' schedule.

Usage: make_schedule_vectors.py >schedules.json     (transformers 4.57.1, torch 2.11.0)
"""
import json
import math

import torch
import transformers

RATE, TOTAL = 0.01, 40
# type, kwargs, warm-up updates; kwargs are given to both sides.
CASES = [
    ("linear", {}, 0), ("linear", {}, 7),
    ("cosine", {}, 0), ("cosine", {}, 7), ("cosine", {"num_cycles": 1.25}, 7),
    ("cosine_with_restarts", {}, 5), ("cosine_with_restarts", {"num_cycles": 3}, 5),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1}, 4), ("cosine_with_min_lr", {"min_lr": 0.002}, 4),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1, "num_cycles": 1.5}, 4),
    ("constant", {}, 7),
    ("constant_with_warmup", {}, 7), ("constant_with_warmup", {}, 0),
    ("polynomial", {}, 6), ("polynomial", {"power": 2.5, "lr_end": 1e-3}, 6),
    ("inverse_sqrt", {}, 6), ("inverse_sqrt", {}, 0), ("inverse_sqrt", {"timescale": 11}, 6),
    ("warmup_stable_decay", {"num_decay_steps": 12}, 8),
    ("warmup_stable_decay", {"num_decay_steps": 12, "min_lr_ratio": 0.2}, 8),
    ("warmup_stable_decay", {"num_decay_steps": 12, "decay_type": "linear", "min_lr_ratio": 0.05}, 8),
    ("warmup_stable_decay", {"num_decay_steps": 12, "decay_type": "1-sqrt"}, 8),
    ("warmup_stable_decay", {"num_decay_steps": 36, "num_cycles": 0.25}, 8),
]


def rates(name, kwargs, warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    if "timescale" in kwargs:  # get_scheduler drops it
        scheduler = transformers.get_inverse_sqrt_schedule(optimizer, warmup, **kwargs)
    else:
        scheduler = transformers.get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=TOTAL,
                                               scheduler_specific_kwargs=dict(kwargs))
    found = []
    for _ in range(TOTAL + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def galore_rates(warmup, min_lr_ratio):
    """The formula of the GaLore paper's runs: linear warm-up from 0, then a cosine down to a share of the peak."""
    found = []
    for update in range(TOTAL + 1):
        if update < warmup:
            factor = update / max(1, warmup)
        else:
            progress = (update - warmup) / max(1, TOTAL - warmup)
            factor = min_lr_ratio + (1 - min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
        found.append(RATE * factor)
    return found


def main():
    cases = [{"type": name, "kwargs": ",".join(f"{k}={v}" for k, v in kwargs.items()), "warmup": warmup,
              "rates": rates(name, kwargs, warmup)} for name, kwargs, warmup in CASES]
    cases.append({"type": "cosine_with_min_lr", "kwargs": "min_lr_rate=0.1", "warmup": 4,
                  "rates": galore_rates(4, 0.1)})
    print(json.dumps({"versions": {"transformers": transformers.__version__, "torch": torch.__version__},
                      "learning_rate": RATE, "total": TOTAL, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
