#!/usr/bin/env python3
"""A loop of accelerate: `accumulate` tells the layer-wise optimizer which pass ends an update."""

import torch
from accelerate import Accelerator

import galore_cpp as galore


def main(layerwise: bool = True, accumulation: int = 3) -> list[torch.Tensor]:
    """Trains for two epochs and returns the weights."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 16))
    x = torch.randn(40, 16, generator=torch.Generator().manual_seed(1))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x), batch_size=4)
    optimizer = galore.optim.GaLoreAdamW(model, lr=1e-2, rank=4, layerwise=layerwise)
    accelerator = Accelerator(gradient_accumulation_steps=accumulation, cpu=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for _ in range(2):
        for (rows,) in loader:  # 10 batches: the last update of an epoch has one
            with accelerator.accumulate(model):
                accelerator.backward((model(rows) - rows).pow(2).mean())
                optimizer.step()
                optimizer.zero_grad()
    return [parameter.detach() for parameter in model.parameters()]


if __name__ == "__main__":
    print(main()[0])
