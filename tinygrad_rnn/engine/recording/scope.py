"""Scope: a place in the model, in time and in the user's code. For errors, plans and pictures."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["PACKAGE_FOLDER", "Scope", "callers_line"]

PACKAGE_FOLDER = str(Path(__file__).parents[2])


class Scope:
    """A place in the model and in time: the module path, the time step and, if known, a line.

    >>> str(Scope("CharRNN.lstm.layer0", step=3))
    'CharRNN.lstm.layer0, step 3'
    """

    __slots__ = ("line", "path", "step")

    def __init__(self, path: str = "", step: int | None = None, line: str | None = None) -> None:
        self.path = path
        self.step = step
        self.line = line

    def __str__(self) -> str:
        step = None if self.step is None else f"step {self.step}"
        return ", ".join(part for part in (self.path, step, self.line) if part)

    def __repr__(self) -> str:
        return f"Scope({str(self)!r})"


def callers_line() -> str | None:
    """`file.py:12` of the innermost frame that is not this package's: the user's own line."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
        frame = frame.f_back  # type: ignore[assignment]
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else None
