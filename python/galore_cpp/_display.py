"""Shows the progress of a run: a bar of tqdm in terminals and notebooks, or lines on sys.stderr."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from types import TracebackType
from typing import Any, Optional


class Display:
    """A bar is drawn where tqdm is installed and sys.stderr is a terminal or a notebook's."""

    def __init__(self, wanted: bool) -> None:
        """Shows nothing unless it is wanted."""
        self._wanted = wanted
        self._tqdm: Any = _tqdm() if wanted else None
        self._bar: Any = None

    def __enter__(self) -> Display:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, message: dict[str, Any]) -> None:
        """Shows a line, or moves the bar."""
        if not self._wanted:
            return
        if "line" in message:
            self._say(message["line"])
        elif "progress" in message:
            self._move(message["progress"], message["total"], message["loss"])

    def _say(self, line: str) -> None:
        # These are a hundred lines, which the first event holds as well.
        if line.startswith("configuration:"):
            return
        if self._bar is None:
            print(line, file=sys.stderr)
        elif not re.match(r"step \d+/", line):  # the bar shows the numbers of an update
            self._bar.write(line, file=sys.stderr)

    def _move(self, step: int, total: int, loss: Optional[float]) -> None:
        if self._bar is None and self._tqdm is not None:
            self._bar = self._tqdm(total=total, unit="update", dynamic_ncols=True)
        if self._bar is not None:
            self._bar.set_postfix(loss=loss, refresh=False)
            self._bar.update(step - self._bar.n)


def _tqdm() -> Any:
    """Returns tqdm, or None where only lines can be shown."""
    in_notebook = "ipykernel" in sys.modules
    if not in_notebook and not getattr(sys.stderr, "isatty", bool)():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets, tqdm draws its bar with characters
        try:
            return importlib.import_module("tqdm.auto").tqdm
        except ImportError:
            return None
