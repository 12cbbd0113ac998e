"""Runs work of the library in a thread of its own, so that Python's main thread can be interrupted.

A function of the library cannot be left from outside, and Python handles signals only between its
own instructions. So the library installs no signal handler: the caller's thread waits here, gets
KeyboardInterrupt at once, and asks the work to stop.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Optional

from galore_cpp import _library

_PATIENCE = 0.1  # seconds of a wait, after which Python may handle a signal


class Worker:
    """Lets an object of the library do its work in a thread; run(), stop() and take() are its
    methods. Where the with block is left early or is interrupted, the work is asked to stop, and has
    stopped at the end of the block. Another interrupt does not wait for that."""

    def __init__(self, work: Any) -> None:
        """Nothing runs before the block."""
        self.error: Optional[BaseException] = None  #: the exception that has ended the work
        self._work = work
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="galore")

    def _run(self) -> None:
        try:
            _library.call_trainer(self._work.run)
        except BaseException as error:  # pylint: disable=broad-exception-caught
            self.error = error
        finally:
            self._done.set()

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self._work.stop()
        # A wait without a limit misses a signal that arrives just before it or in another thread. A
        # join() that is interrupted takes the thread for ended (python/cpython#90882).
        while not self._done.wait(_PATIENCE):
            pass
        self._thread.join()

    def texts(self) -> Iterator[str]:
        """Gives what the work reports until it is done; its error is raised then."""
        while not self._done.is_set():
            yield from self._work.take(_PATIENCE)
        yield from self.left_over()
        if self.error is not None:
            raise self.error

    def left_over(self) -> list[str]:
        """Returns what the work has reported since then."""
        return list(self._work.take(0.0))


def keywords(options: Mapping[str, Any]) -> str:
    """Returns options as JSON, which the library reads like a file of YAML."""

    def plain(value: Any) -> Any:
        return str(value) if hasattr(value, "__fspath__") else list(value)

    return json.dumps(dict(options), default=plain, ensure_ascii=False)
