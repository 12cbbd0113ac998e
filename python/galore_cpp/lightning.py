"""The optimizers in Lightning: a callback that tells a layer-wise optimizer which batch ends an
update.

    trainer = lightning.Trainer(accumulate_grad_batches=4, callbacks=[galore.lightning.LayerwiseCallback()])
"""

from __future__ import annotations

import contextlib
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from galore_cpp.optim import GaloreOptimizer


def _own(optimizer: Any) -> GaloreOptimizer | None:
    inner = getattr(optimizer, "optimizer", optimizer)
    return inner if isinstance(inner, GaloreOptimizer) and inner.is_layerwise else None


class LayerwiseCallback(Callback):
    """Marks the backward passes that are not the last one of their update, the short last one of an
    epoch included."""

    def __init__(self) -> None:
        """Is given to the trainer's callbacks."""
        self._contexts = contextlib.ExitStack()

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Any) -> None:
        """Holds the update back where Lightning accumulates."""
        if not trainer.fit_loop._should_accumulate():
            return
        for optimizer in filter(None, map(_own, trainer.optimizers)):
            self._contexts.enter_context(optimizer.no_update())

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends what on_before_backward() began."""
        self._contexts.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Ends it after an exception in backward() as well."""
        self._contexts.close()
