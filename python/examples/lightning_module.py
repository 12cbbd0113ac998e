#!/usr/bin/env python3
"""A LightningModule with a layer-wise optimizer and accumulation."""

import lightning
import torch

import galore_cpp as galore


class Module(lightning.LightningModule):
    """Learns to copy its input."""

    def __init__(self, layerwise: bool) -> None:
        super().__init__()
        self.layerwise = layerwise
        self.net = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Tanh(), torch.nn.Linear(32, 16))

    def training_step(self, batch: list[torch.Tensor], number: int) -> torch.Tensor:
        return (self.net(batch[0]) - batch[0]).pow(2).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return galore.optim.GaLoreAdamW(self.net, lr=1e-2, rank=4, layerwise=self.layerwise)


def main(layerwise: bool = True, accumulation: int = 3, epochs: int = 2, resume: str = "", save: str = "") -> Module:
    """Trains and returns the module."""
    torch.manual_seed(0)
    module = Module(layerwise)
    x = torch.randn(40, 16, generator=torch.Generator().manual_seed(1))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x), batch_size=4)
    trainer = lightning.Trainer(max_epochs=epochs, accumulate_grad_batches=accumulation, accelerator="cpu", logger=False,
                                enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
                                callbacks=[galore.lightning.LayerwiseCallback()])
    trainer.fit(module, loader, ckpt_path=resume or None)
    if save:
        trainer.save_checkpoint(save)
    return module


if __name__ == "__main__":
    print(main())
