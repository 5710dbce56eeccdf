"""Derivatives without gradient rules: the complex step, and central differences where it fails.

For an analytic f, f(x + i h v) = f(x) + i h f'(x) v + O(h^2) (Squire & Trapp 1998): nothing is
subtracted, so h can be 2^-350 and the derivative is accurate to a few ulp, however small it is. So
a gradient of 1e-13 at the first of 40 time steps can be checked *relative to its own size*, which
finite differences cannot do.

There is no list of non-analytic ops (`abs`, a kink of `relu`); they are detected. At every op of
the run, the complex step's derivative is compared with a coarse difference quotient of that op
alone. Where they disagree, a difference quotient in extended precision replaces it. An element
where the op has no derivative (a kink) gets NaN, which then marks exactly the elements that depend
on it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...engine.dtypes import is_floating
from ...engine.primitives.primitive import Primitive
from ...engine.recording.mode import ModeChange
from ...engine.recording.node import Node
from ...engine.recording.scope import Scope

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = [
    "RESOLUTION",
    "STEP",
    "ComplexStep",
    "difference_quotient",
    "differentiating",
    "imaginary_part",
]

STEP = 2.0**-350
"""h, in the direction's own units: a derivative below h^2 cannot be told from 0."""

RESOLUTION = 2.0**-680
"""About 1e-205: how large a derivative of exactly 0 may appear, due to h^2 and underflow."""


@contextmanager
def differentiating(watch: Any) -> Iterator[None]:
    """Run ops under `watch`, without NumPy's warnings of overflow and the like."""
    recorded = ModeChange(watch=watch, grad=True)
    with recorded, np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Quotient(NamedTuple):
    """A derivative by differences, and how accurate it is."""

    slope: Array
    kink: Array  # where the one-sided derivatives differ, or there are none
    error: Array  # bound on truncation and rounding together

    def uncertainty(self) -> Array:
        """The largest difference from another derivative that does not contradict it."""
        bound: Array = 1e-3 * np.abs(self.slope) + self.error
        return bound


def difference_quotient(
    f: Callable[[Any], Any], step: Any, size: Any = 0.0, middle: Any = None
) -> Quotient:
    """f'(0) by a central difference at half of `step`; that at `step` shows its accuracy.

    `step` is a number, or an array of one step an element. At a kink |f'(0+) - f'(0-)| stays when
    the step is halved; where f is smooth it is halved too. `size`: of the numbers that f computes
    with, if larger than f itself. `middle`: f(0), if it is known.
    """
    middle = np.asarray(f(0 * step)) if middle is None else middle
    right, left, near_right, near_left = (
        np.asarray(f(s)) for s in (step, -step, step / 2, -step / 2)
    )
    wide, narrow = (right - left) / (2 * step), (near_right - near_left) / step
    bend = np.abs((right - middle) - (middle - left)) / step
    near_bend = np.abs((near_right - middle) - (middle - near_left)) / (step / 2)
    size = np.maximum(np.maximum(np.abs(right), np.abs(left)), size)
    rounding = 16 * np.finfo(right.dtype).eps * size / step
    one_sided = (np.abs(right - middle) + np.abs(middle - left)) / step
    kink = (near_bend > 0.6 * bend) & (near_bend > 1e-4 * one_sided + rounding)
    jump = np.abs(narrow) > 1.5 * np.abs(wide) + rounding  # steeper the closer one looks
    return Quotient(narrow, kink | jump, np.abs(wide - narrow) + rounding)


class ComplexStep:
    """Watches a run on complex numbers and corrects its derivative, op by op.

    Each op's result gets the op's exact real value, and in its imaginary part the derivative (times
    `STEP`). `differences` names the ops where a difference quotient had to be taken, and `kinks`
    those that have no derivative at this point, with their place. With `verify=False` the complex
    step is trusted: valid at a point where a verified run found nothing.
    """

    def __init__(self, verify: bool = True) -> None:
        self.verify = verify
        self.differences: set[str] = set()
        self.kinks: list[tuple[str, Scope | None]] = []

    def forward(self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: Any) -> None:
        """Replace the result of `op` by its value and its derivative."""
        if op.traits.selects is not None:
            return  # its input, a tuple of arrays, was replaced as a whole
        values = [x._data if isinstance(x, Node) else x for x in inputs]
        if any(map(np.iscomplexobj, values)):
            node._data = self.through(op, values, attributes, node._data, node.scope)

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Nothing to do: in a second-order check the gradient rules are ops themselves."""

    def through(
        self, op: Primitive, values: list[Any], attributes: Any, stepped: Any, scope: Any = None
    ) -> Any:
        """The result of `op` for complex `values`; `stepped` is what NumPy made of them."""
        if (
            not op.traits.differentiable
            and np.iscomplexobj(stepped)
            and not np.any(np.imag(stepped))
        ):
            return np.real(stepped)  # a constant; computed again, random numbers would differ
        exact = op.value(*_real(values), **attributes)
        several = isinstance(exact, tuple)
        parts, exact_parts = (stepped, exact) if several else ((stepped,), (exact,))
        slopes = [np.imag(part) / STEP for part in parts]
        if self.verify and any(np.any(v.imag) for v in values if np.iscomplexobj(v)):
            for index, slope in enumerate(slopes):
                slopes[index] = self._verified(op, values, attributes, index, slope, scope)
        made = tuple(map(_with_tangent, exact_parts, slopes))
        return made if several else made[0]

    def _verified(
        self,
        op: Primitive,
        values: list[Any],
        attributes: Any,
        index: int,
        slope: Array,
        scope: Any,
    ) -> Array:
        """`slope`, or the difference quotient where the two disagree; NaN at a kink."""
        coarse = _quotient_of(op, values, attributes, index, np.float64, 2.0**-17)
        if coarse is None:
            return slope
        wrong = coarse.kink | (np.abs(coarse.slope - slope) > coarse.uncertainty())
        if not np.any(wrong):
            return slope
        fine = _quotient_of(op, values, attributes, index, np.longdouble, 2.0**-20)
        assert fine is not None
        same = np.abs(coarse.slope - fine.slope) <= coarse.uncertainty()
        wrong &= np.where(coarse.kink, fine.kink, same)  # otherwise the differences themselves fail
        if not np.any(wrong):
            return slope
        self.differences.add(op.name)
        if np.any(wrong & fine.kink):
            self.kinks.append((op.name, scope))
        taken = np.where(fine.kink, np.nan, fine.slope).astype(np.float64)
        return np.where(wrong, taken, slope)


def _quotient_of(
    op: Primitive, values: list[Any], attributes: Any, index: int, dtype: Any, relative_step: float
) -> Quotient | None:
    """The difference quotient of one output of `op` along the imaginary parts of `values`.

    An elementwise op gets a step for each element, so that tangents of very different size are all
    resolved. Any other op gets one step for all. A pace is how fast an element changes, relative to
    its size.
    """
    points = [np.asarray(v.real, dtype) if np.iscomplexobj(v) else _wide(v, dtype) for v in values]
    tangents = [
        np.asarray(v.imag, dtype) / dtype(STEP) if np.iscomplexobj(v) else None for v in values
    ]

    def along(step: Any) -> Array:
        moved = [p if t is None else p + step * t for p, t in zip(points, tangents, strict=True)]
        result = op.value(*moved, **attributes)
        return np.asarray(result[index] if isinstance(result, tuple) else result)

    moving = [(p, t) for p, t in zip(points, tangents, strict=True) if t is not None]
    paces = [np.abs(t) / np.where(p == 0, 1, np.abs(p)) for p, t in moving]
    if op.traits.elementwise:
        shape = np.broadcast_shapes(*(np.shape(v) for v in values))
        pace = functools.reduce(np.maximum, paces, np.zeros(shape, dtype))
        size = functools.reduce(np.maximum, (np.abs(p) for p, _ in moving), pace * 0)
        step = relative_step / np.where(pace > 0, pace, 1)
    else:
        largest = max((p.max(initial=0) for p in paces), default=0)
        if not (np.isfinite(largest) and largest > 0):
            return None
        size = max(np.max(np.abs(p), initial=0) for p, _ in moving)
        step = dtype(relative_step) / largest
    middle = along(0 * step)
    return difference_quotient(along, step, size, middle) if middle.dtype.kind == "f" else None


def _with_tangent(value: Any, slope: Array) -> Array:
    """`value + i h slope`; also where one of the two is not finite, unlike the sum."""
    exact: Array = np.asarray(value)
    if exact.dtype.kind != "f":
        return exact
    made = np.empty(exact.shape, np.result_type(exact, np.complex64))
    made.real, made.imag = exact, STEP * slope
    return made


def _real(values: list[Any]) -> list[Any]:
    return [np.array(v.real) if np.iscomplexobj(v) else v for v in values]


def _wide(value: Any, dtype: Any) -> Any:
    """A real constant in the precision of the differences; indices and masks unchanged."""
    return np.asarray(value, dtype) if is_floating(value) else value


def imaginary_part(outputs: Sequence[Any], weights: Sequence[Array]) -> float:
    """The derivative of `sum(weight * output)` that a complex-step run leaves in its outputs."""
    return float(
        sum(np.sum(w * np.imag(out._data)) / STEP for out, w in zip(outputs, weights, strict=True))
    )
