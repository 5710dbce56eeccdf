"""Rounding: round, floor, ceil, trunc. Their gradient is 0, so the results are constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.op import op
from ...engine.primitives.protocol import implements

Array = Any

constant = op(elementwise=True, differentiable=False)


@implements(np.round, np.around)
@constant
def round(x: Array, *, decimals: int = 0) -> Array:
    """x rounded to `decimals` places, halves to the even neighbour; a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.round(tg.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.], dtype=float32)
    """
    if not hasattr(x, "dtype") or x.dtype.kind != "f":
        return np.round(x, decimals)
    if decimals == 0:
        return np.rint(x)
    scale = 10.0 ** max(decimals, -decimals)
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


@implements(np.rint)
def _rint(x: Array) -> Array:
    return round(x)


@implements(np.floor)
@constant
def floor(x: Array) -> Array:
    """The largest integer not above x; a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.floor(tg.tensor([0.5, -0.5]))
    tensor([ 0., -1.], dtype=float32)
    """
    return np.floor(x)


@implements(np.ceil)
@constant
def ceil(x: Array) -> Array:
    """The smallest integer not below x; a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.ceil(tg.tensor([0.5, -1.5]))
    tensor([ 1., -1.], dtype=float32)
    """
    return np.ceil(x)


@implements(np.trunc)
@constant
def trunc(x: Array) -> Array:
    """x without its fraction, rounded towards 0; a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.trunc(tg.tensor([1.5, -1.5]))
    tensor([ 1., -1.], dtype=float32)
    """
    return np.trunc(x)
