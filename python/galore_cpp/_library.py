"""Finds and loads the libraries of this package that were built with the installed torch."""

from __future__ import annotations

import functools
import os
import pathlib
from typing import Any, Callable

import torch

_FOLDER = pathlib.Path(__file__).parent / "lib"
_USAGE = "ValueError: "  # the library's mark of wrong usage


def _minor(version: str) -> str:
    return ".".join(version.split("+")[0].split(".")[:2])


def _path(file: str, variable: str, advice: str) -> pathlib.Path:
    given = os.environ.get(variable)
    if given:
        return pathlib.Path(given)
    path = _FOLDER / f"torch{_minor(torch.__version__)}" / file
    if path.exists():
        return path
    built = sorted(found.parent.name.removeprefix("torch") for found in _FOLDER.glob(f"torch*/{file}"))
    raise ImportError(f"[galore_cpp] expected torch {' or '.join(built) or '(no library is installed)'}, given torch "
                      f"{torch.__version__}; {advice}")


def _load(path: pathlib.Path) -> None:
    try:
        torch.ops.load_library(str(path))  # type: ignore[no-untyped-call]
    except OSError as error:
        raise ImportError(f"[galore_cpp] {path} does not load with torch {torch.__version__}: {error}") from error


@functools.lru_cache(maxsize=None)
def load() -> None:
    """Loads the library of the optimizers once for each process; another call does nothing."""
    _load(_path("libgalore.so", "GALORE_CPP_LIBRARY", "'pip install ./python' in a clone of galore.cpp builds for the "
                "installed torch"))


@functools.lru_cache(maxsize=None)
def trainer() -> Any:
    """Loads the library of the trainer, and returns its classes."""
    _load(_path("libgalore_trainer.so", "GALORE_CPP_TRAINER_LIBRARY", "'pip install ./python --config-settings="
                "cmake.define.GALORE_PYTHON_TRAINER=ON' in a clone of galore.cpp builds the trainer"))
    return torch.classes.galore_trainer


def trainer_function(name: str) -> Any:
    """Returns a function of the trainer's library."""
    trainer()
    return getattr(torch.ops.galore_trainer, name)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls into the library of the optimizers; an error is a ValueError of one line."""
    try:
        return function(*arguments)
    except RuntimeError as error:
        text = str(error).split("\n", 1)[0]
        if text.startswith("["):
            raise ValueError(text) from None
        raise


def call_trainer(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls into the library of the trainer. Wrong usage is a ValueError, another failure a
    RuntimeError, of one line each."""
    try:
        return function(*arguments)
    except RuntimeError as error:
        text = str(error).split("\n", 1)[0]
    if text.startswith(_USAGE):
        raise ValueError(text.removeprefix(_USAGE))
    raise RuntimeError(text)


def new_engine(*arguments: Any) -> Any:
    """Makes an engine (torch.classes.galore.Engine)."""
    load()
    return call(torch.classes.galore.Engine, *arguments)


def preset_table() -> str:
    """Returns the tables of optimizers and options as JSON."""
    load()
    return str(torch.ops.galore.preset_table())
