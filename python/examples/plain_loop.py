#!/usr/bin/env python3
"""A plain loop with a layer-wise optimizer, accumulation of unknown length, and a checkpoint."""

import torch

import galore_cpp as galore


def batches(rows: int, size: int) -> list[torch.Tensor]:
    """Returns batches of token ids; the last one may be smaller."""
    ids = torch.randint(0, 64, (rows, 16), generator=torch.Generator().manual_seed(0))
    return list(ids.split(size))


def main(path: str = "") -> list[float]:
    """Trains for two epochs and returns the losses."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(64, 32), torch.nn.Linear(32, 32), torch.nn.Tanh(),
                                torch.nn.Linear(32, 64))
    optimizer = galore.optim.GaLoreAdamW8bit(model, lr=1e-2, rank=8, update_proj_gap=10, layerwise=True)
    losses = []
    for epoch in range(2):
        data = batches(44, 4)  # 11 micro-batches: the last update has 3 of them
        for first in range(0, len(data), 4):
            window = data[first:first + 4]
            for ids in window:
                loss = torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten()) / len(window)
                if ids is window[-1]:
                    loss.backward()  # each weight is written here, and its gradient freed
                else:
                    with optimizer.no_update():
                        loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(window))
        if path:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
            optimizer.load_state_dict(torch.load(path, weights_only=True)["optimizer"])
    return losses


if __name__ == "__main__":
    print(main())
