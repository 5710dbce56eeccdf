"""Errors of ops in the user's words: what was called with what, in which module, on which line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .scope import Scope, callers_line

__all__ = ["explained"]

_PRODUCT = re.compile(
    r"\w+: Input operand .* gufunc .*\(size (?P<y>\d+) is different from (?P<x>\d+)\)"
    r"|shapes \(.*\) and \(.*\) not aligned: (?P<columns>\d+) .* != (?P<rows>\d+) .*"
)
"""The messages of `np.matmul` and `np.dot` for arrays whose inner sizes differ."""


def explained(
    error: Exception, called: str, values: Sequence[Any], scope: Scope | None
) -> Exception:
    """`error` with the call, `called(values)`, and the place in its message.

    An error of a custom class (not `ValueError`, `TypeError` or another that Python users expect
    from such a call) is returned unchanged, with the message as a note.
    """
    reason = _PRODUCT.sub(
        lambda m: f"the inner sizes differ, {m['x'] or m['columns']} and {m['y'] or m['rows']}",
        str(error),
    )
    place = f" in {scope}" if scope is not None and str(scope) else ""
    line = callers_line()
    message = f"{called}({', '.join(map(_in_brief, values))}){place}: {reason}" + (
        f" [called at {line}]" if line else ""
    )
    for kind in (np.exceptions.AxisError, TypeError, IndexError, ValueError, ZeroDivisionError):
        if isinstance(error, kind):
            return kind(message)
    error.add_note(message)
    return error


def _in_brief(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    text = repr(value)
    return text if len(text) <= 40 else f"{type(value).__name__}"
