"""Errors of exports: which op has no counterpart, and where it is used."""

from __future__ import annotations

from ..engine.recording.scope import Scope
from ..errors import TinygradRnnError

__all__ = ["ExportError", "at"]


class ExportError(TinygradRnnError, ValueError):
    """A model that cannot be exported: names the op or the size, and the line that uses it.

    >>> import tinygrad_rnn as tg
    >>> issubclass(tg.export.ExportError, ValueError)
    True
    """


def at(origin: Scope | None) -> str:
    """`, at <line>` of the user's code, or the module path, or nothing if it is unknown."""
    if origin is None:
        return ""
    if origin.line:
        return f", at {origin.line}"
    return f", in {origin.path}" if origin.path else ""
