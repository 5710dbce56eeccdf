"""The primitives that passes introduce, beside NumPy's ufuncs and the ops of a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.primitive import Primitive
from ...ops import lifting

__all__ = ["over_time", "recurrence", "summed_product"]

Array = Any


def _recurrence(carry: Array, scale: Array, offset: Array) -> Array:
    return scale * carry + offset


def _over_time(x: Array) -> Array:
    return np.add.reduce(x, 0)


recurrence = Primitive(_recurrence, elementwise=True)
"""One step of an affine recurrence."""

over_time = Primitive(_over_time)
"""The sum over the leading time axis."""

summed_product = Primitive(lifting.summed_product)
"""The sum over time of products of matrices, as one product."""

recurrence.name, over_time.name = "recurrence", "over_time"
