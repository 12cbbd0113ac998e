"""Updates within backward(): hooks that hand each gradient to the engine and free it."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from galore_cpp import _library

if TYPE_CHECKING:
    from galore_cpp.optim._optimizer import GaloreOptimizer


class LayerwiseHooks:
    """The hooks of one optimizer, and its count of backward passes.

    An update begins with the first gradient after the last step(). Its last pass is the one that
    accelerate says is the last, the n-th after accumulate(n), or the first one outside of
    no_update().
    """

    def __init__(self, optimizer: GaloreOptimizer, counted: int = 0) -> None:
        # Hooks live as long as their tensors, and must not keep the optimizer alive.
        self._owner = weakref.ref(optimizer)
        self._counted = counted  # 0: the number of passes is not known
        self._group: Any = None  # of processes that make one update, or None
        self._held = 0
        self._open = False
        self._handles = [parameter.register_post_accumulate_grad_hook(self._hook(index))
                         for index, parameter in enumerate(optimizer._parameters.values())]
        weakref.finalize(optimizer, _remove_all, self._handles)

    @property
    def _optimizer(self) -> GaloreOptimizer:
        optimizer = self._owner()
        assert optimizer is not None  # its end removes the hooks
        return optimizer

    def remove(self) -> int:
        """Removes the hooks, and returns the number of accumulate()."""
        _remove_all(self._handles)
        return self._counted

    def accumulate(self, micro_batches: int) -> None:
        """Sets the number of passes of each update."""
        if micro_batches < 1:
            raise ValueError(f"[optimizer] expected at least one micro-batch, given {micro_batches}")
        self._counted = micro_batches

    @contextlib.contextmanager
    def no_update(self) -> Iterator[None]:
        """Marks passes that are not the last one of their update."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def average_over(self, group: Any) -> None:
        """Makes every update from the mean over the processes of a group."""
        self._group = group

    @property
    def averages(self) -> bool:
        """True after average_over()."""
        return self._group is not None

    def _is_last(self) -> bool:
        if self._held:
            return False
        accelerate: Any = sys.modules.get("accelerate.state")
        if accelerate and accelerate.GradientState._shared_state:
            return bool(accelerate.GradientState().sync_gradients)
        return True

    def begin_pass(self) -> bool:
        """Begins an update where none is open; returns True in the last pass of an update."""
        last = self._is_last()
        if not self._open:
            if not self.averages:
                refuse_processes()
            self._optimizer._begin(self._counted or (1 if last else 0))
            self._open = True
        return last

    def _hook(self, index: int) -> Any:
        def take(parameter: torch.Tensor) -> None:
            gradient, parameter.grad = parameter.grad, None
            if gradient is None:  # a layer of project_gradients() has handed it over
                return
            last, engine = self.begin_pass(), self._optimizer._engine
            if not self.averages:
                _library.call(engine.take, index, gradient, last)
                return
            for mean in _library.call(engine.take_sum, index, gradient, last):
                torch.distributed.all_reduce(mean, group=self._group)
                mean.div_(torch.distributed.get_world_size(self._group))
                _library.call(engine.use, index)
        return take

    def finish(self) -> None:
        """Closes the update; without one there is nothing to do, as in torch without gradients."""
        if self._open:
            self._open = False
            _library.call(self._optimizer._engine.finish, False)
            self._optimizer._report()

    def abandon(self) -> None:
        """Drops an update that was not closed. What it has written stays written."""
        if self._open:
            self._open = False
            _library.call(self._optimizer._engine.finish, True)


def _remove_all(handles: list[Any]) -> None:
    for handle in handles:
        handle.remove()
    handles.clear()


def refuse_processes() -> None:
    """Refuses several processes, which would drift apart: no gradient is summed before it is
    used."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        raise ValueError("[optimizer] expected one process with layerwise=True, or average_over(), given "
                         f"{distributed.get_world_size()}: their gradients would not be summed")
