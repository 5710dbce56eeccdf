"""The garbage collector, turned off for a while by any number of threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_collection"]


class _Switch:
    """Off from the first `off` to the last `on`: the collector is the process's, not a thread's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._was_enabled = False

    def off(self) -> None:
        with self._lock:
            if self._users == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._users += 1

    def on(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._was_enabled:
                gc.enable()


_switch = _Switch()


@contextmanager
def no_collection() -> Iterator[None]:
    """Turn off the search for reference cycles, until the last thread that asked for it is done.

    >>> with no_collection():
    ...     gc.isenabled()
    False
    """
    _switch.off()
    try:
        yield
    finally:
        _switch.on()
