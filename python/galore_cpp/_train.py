"""The program's trainer in this process."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Optional, Union

from galore_cpp import _library
from galore_cpp._display import Display
from galore_cpp._worker import Worker, keywords

Config = Union[str, "os.PathLike[str]", Mapping[str, Any]]
Event = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """What a run has come to."""

    output_dir: pathlib.Path  #: holds the model, the checkpoints and the logs
    steps: int  #: updates, those before a resume included
    loss: float  #: mean of the updates since the one that was logged before the last
    metrics: dict[str, float]  #: of the last evaluation; empty without one
    best_metric: Optional[float]  #: by metric_for_best_model, at best_step
    best_step: Optional[int]
    tokens_seen: int
    seconds: float
    tokens_per_second: float
    peak_memory_bytes: int  #: of the whole process
    planned_bytes: int
    events: list[Event] = dataclasses.field(repr=False)  #: the lines of metrics.jsonl, without those before a resume

    def _of(self, name: str) -> list[Event]:
        return [event for event in self.events if event["event"] == name]

    @property
    def losses(self) -> list[tuple[int, float]]:
        """Step and mean loss of each logged update."""
        return [(event["step"], _number(event["loss"])) for event in self._of("step")]

    @property
    def evaluations(self) -> list[Event]:
        """Step and metrics of each evaluation."""
        return self._of("eval")


def _number(value: Optional[float]) -> float:
    return float("nan") if value is None else value  # JSON has no number for it


def _result(text: str, events: list[Event]) -> TrainResult:
    fields = json.loads(text)
    return TrainResult(output_dir=pathlib.Path(fields["output_dir"]), steps=fields["steps"], loss=_number(fields["loss"]),
                       metrics=fields["metrics"], best_metric=fields.get("best_metric"), best_step=fields.get("best_step"),
                       tokens_seen=fields["tokens_seen"], seconds=fields["seconds"],
                       tokens_per_second=_number(fields["tokens_per_second"]),
                       peak_memory_bytes=fields["peak_memory_bytes"], planned_bytes=fields["planned_bytes"], events=events)


def _sources(config: Optional[Config], options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the path of a YAML file, or "", and the options that override it."""
    if config is None or isinstance(config, Mapping):
        return "", {**(config or {}), **options}
    return os.fspath(config), dict(options)


def train(config: Optional[Config] = None, *, callback: Optional[Callable[[Event], object]] = None, progress: bool = True,
          **options: Any) -> TrainResult:
    """Trains a model as `galore train` does, in this process and to the same bits.

    config is a mapping or the path of a YAML file with the keys of `galore train` (`galore train
    --help` lists them); options override it. callback gets every event of the log as it happens,
    the lines of metrics.jsonl, in the caller's thread, while the run goes on. progress shows a bar
    (by tqdm, also in notebooks) or lines on sys.stderr; nothing is written to stdout.

    Python's lock is released while the run computes. Ctrl-C, or an exception of callback, lets the
    update end, saves a checkpoint and is then raised; resume_from_checkpoint="auto" goes on from
    there. A second Ctrl-C does not wait for the checkpoint. Wrong options raise ValueError, and
    other failures RuntimeError.
    """
    file, overrides = _sources(config, options)
    run = _library.call_trainer(_library.trainer().Run, file, keywords(overrides))
    events: list[Event] = []
    with Display(progress) as display:

        def take(text: str, listener: Optional[Callable[[Event], object]]) -> None:
            message = json.loads(text)
            display.show(message)
            if "event" in message:
                events.append(message)
                if listener is not None:
                    listener(message)

        worker = Worker(run)
        try:
            with worker:
                for text in worker.texts():
                    take(text, callback)
        except BaseException as error:
            for text in worker.left_over():
                take(text, None)
            if worker.error not in (None, error):
                display.show({"line": str(worker.error)})
            raise
    return _result(run.result(), events)
