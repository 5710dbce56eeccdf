"""Euclidean norms in float64, right also where squares would underflow or overflow.

A vanishing gradient is measured with them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["norm", "norms_of_rows"]


def norm(array: Any) -> float:
    """The Euclidean norm, in float64; correct even where the squares would underflow.

    >>> norm(np.full(4, 1e-200))
    2e-200
    """
    flat = np.asarray(array, np.float64).ravel()
    square = float(flat.dot(flat))
    if 1e-200 < square < 1e200 or not flat.size:
        return math.sqrt(square)
    largest = float(np.abs(flat).max())
    if largest == 0 or not np.isfinite(largest):
        return largest
    flat = flat / largest
    return largest * math.sqrt(float(flat.dot(flat)))


def norms_of_rows(array: Any) -> Any:
    """The norm of each row of an array, (T, ...): (T,).

    >>> norms_of_rows(np.full((2, 4), 1e-200))
    array([2.e-200, 2.e-200])
    """
    rows = np.asarray(array, np.float64).reshape(len(array), -1)
    squares = np.einsum("ti,ti->t", rows, rows)
    norms = np.sqrt(squares)
    for t in np.flatnonzero(~((squares > 1e-200) & (squares < 1e200)) & rows.any(axis=1)):
        norms[t] = norm(rows[t])
    return norms
