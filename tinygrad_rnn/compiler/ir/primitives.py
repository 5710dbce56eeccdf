"""The primitives that passes introduce, in addition to NumPy's ufuncs and the ops of a step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...engine.primitives.primitive import Primitive
from ...ops.shapes import lifting

__all__ = ["Recurrence", "hold", "over_time", "recurrence", "summed_product"]

Array = Any


class Recurrence(NamedTuple):
    """The operands of `recurrence` by role; `scales[i][j]`: the coefficient of carry j in carry i.

    >>> Recurrence.of("h", "a", "b")
    Recurrence(carries=('h',), scales=(('a',),), offsets=('b',))
    """

    carries: tuple[Any, ...]
    scales: tuple[tuple[Any, ...], ...]
    offsets: tuple[Any, ...]

    @classmethod
    def of(cls, *operands: Any) -> Recurrence:
        """From the operands in their order: n carries, n x n scales row by row, n offsets."""
        n = next(n for n in range(1, len(operands) + 1) if n * (n + 2) == len(operands))
        carries, scales, offsets = operands[:n], operands[n:-n], operands[-n:]
        return cls(carries, tuple(scales[i * n : i * n + n] for i in range(n)), offsets)


def _recurrence(*operands: Array) -> tuple[Array, ...]:
    carries, scales, offsets = Recurrence.of(*operands)
    found = []
    for row, offset in zip(scales, offsets, strict=True):
        total = offset
        for scale, carry in zip(row, carries, strict=True):
            if not (isinstance(scale, float) and scale == 0.0):
                total = total + scale * carry
        found.append(total)
    return tuple(found)


def _hold(carry: Array, chosen: Array, x: Array) -> Array:
    return np.where(chosen, x, carry)


def _over_time(x: Array) -> Array:
    return np.add.reduce(x, 0)


# A backend computes these two for all steps at once.

recurrence = Primitive(_recurrence, elementwise=True)
"""One step of an affine recurrence of one carry or several: outputs A_t h_{t-1} + b_t."""

hold = Primitive(_hold, elementwise=True)
"""One step of sample and hold: x_t where it is selected, otherwise the previous carry."""

over_time = Primitive(_over_time)
"""The sum over the leading time axis."""

summed_product = Primitive(lifting.summed_product)
"""The sum over time of products of matrices, as one product."""

for _made, _name in ((recurrence, "recurrence"), (hold, "hold"), (over_time, "over_time")):
    _made.name = _name
