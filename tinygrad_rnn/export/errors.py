"""What cannot leave, and why."""

from __future__ import annotations

from ..engine.recording.scope import Scope
from ..errors import TinygradRnnError

__all__ = ["ExportError", "at"]


class ExportError(TinygradRnnError, ValueError):
    """A model that cannot be exported: names the op or the size, and the line that it stands in.

    >>> import tinygrad_rnn as tg
    >>> issubclass(tg.export.ExportError, ValueError)
    True
    """


def at(origin: Scope | None) -> str:
    """`, at <line>` of the user's code, or the module path, or nothing where it is not known."""
    if origin is None:
        return ""
    if origin.line:
        return f", at {origin.line}"
    return f", in {origin.path}" if origin.path else ""
