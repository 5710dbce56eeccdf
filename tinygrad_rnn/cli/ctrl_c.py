"""Ctrl-C that stops between two steps of work, not in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["between_steps"]


@contextmanager
def between_steps() -> Iterator[Callable[[], None]]:
    """Within this context Ctrl-C is only noted; the yielded function raises KeyboardInterrupt.

    So a file that is being written is finished. A second Ctrl-C stops at once.

    >>> with between_steps() as check:
    ...     check()
    """
    pressed = False

    def note(*_: Any) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check  # only the main thread receives signals
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
