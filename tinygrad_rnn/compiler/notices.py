"""Notices: warnings that are issued only once."""

from __future__ import annotations

import warnings
import weakref
from typing import Any

__all__ = ["notify"]

_texts: set[str] = set()
_about: weakref.WeakSet[Any] = weakref.WeakSet()


def notify(text: str, about: Any = None) -> None:
    """Warn once for each text or, if it is given, for each subject."""
    given, key = (_texts, text) if about is None else (_about, about)
    if key not in given:
        given.add(key)
        warnings.warn(text, stacklevel=3)
