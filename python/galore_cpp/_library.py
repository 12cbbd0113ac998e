"""Finds and loads the library of this package that was built with the installed torch."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import torch

_FOLDER = pathlib.Path(__file__).parent / "lib"


def _minor(version: str) -> str:
    return ".".join(version.split("+")[0].split(".")[:2])


def _path() -> pathlib.Path:
    given = os.environ.get("GALORE_CPP_LIBRARY")
    if given:
        return pathlib.Path(given)
    path = _FOLDER / f"torch{_minor(torch.__version__)}" / "libgalore.so"
    if path.exists():
        return path
    built = sorted(folder.name.removeprefix("torch") for folder in _FOLDER.glob("torch*"))
    raise ImportError(
        f"[galore_cpp] expected torch {' or '.join(built) or '(no library is installed)'}, given torch "
        f"{torch.__version__}; 'pip install ./python' in a clone of galore.cpp builds for the installed torch")


def load() -> None:
    """Loads the library once for each process; another call does nothing."""
    path = _path()
    try:
        torch.ops.load_library(str(path))  # type: ignore[no-untyped-call]
    except OSError as error:
        raise ImportError(f"[galore_cpp] {path} does not load with torch {torch.__version__}: {error}") from error


def call(function: Any, *arguments: Any) -> Any:
    """Calls into the library; an error is a ValueError of one line."""
    try:
        return function(*arguments)
    except RuntimeError as error:
        text = str(error).split("\n", 1)[0]
        if text.startswith("["):
            raise ValueError(text) from None
        raise


def new_engine(*arguments: Any) -> Any:
    """Makes an engine (torch.classes.galore.Engine)."""
    return call(torch.classes.galore.Engine, *arguments)


def preset_table() -> str:
    """Returns the tables of optimizers and options as JSON."""
    return str(torch.ops.galore.preset_table())


load()
