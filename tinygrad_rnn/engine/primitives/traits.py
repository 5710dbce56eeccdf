"""Traits: what is true of an op, declared once with it and asked for by everyone else.

No file but the op's own lists ops, and no compiler pass asks *which* op it has: it asks for a
trait. `@op(elementwise=True, linear="x y")` declares them; `op.traits` has them, and
`traits_of(np.add)` those of a NumPy function, which are the traits of the op that answers for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Section", "Traits"]


class Section(NamedTuple):
    """A part of an array along one axis: `x[..., start:stop, ...]`; the axis counts from the end.

    >>> Section(axis=-1, start=0, stop=4)
    Section(axis=-1, start=0, stop=4)
    """

    axis: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is true of an op whatever it is applied to. A declaration left out claims nothing.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> tg.add.traits.elementwise, sorted(tg.add.traits.linear)
    (True, ['x', 'y'])
    """

    elementwise: bool = False
    """Each element of the result depends on the elements at its place alone, after broadcasting."""

    pure: bool = True
    """The same inputs always give the same value. False for an op that draws random numbers."""

    differentiable: bool = True
    """False: the result is a constant, whatever the inputs."""

    linear: frozenset[str] = frozenset()
    """The inputs, by name, in which the op is linear *jointly*, the others held fixed, among real
    floating dtypes: all of them for a sum or a concatenation, x and y for `where`. Its coefficient
    for one of them is that input's gradient rule, applied to ones."""

    multilinear: frozenset[str] = frozenset()
    """The inputs in which it is linear *each by itself*, the others held fixed: both factors of a
    product, the dividend of a quotient."""

    reads: frozenset[str] | None = None
    """The inputs, and "out", whose values the gradient rules read. None: the engine finds out, by
    calling each rule once on stand-ins. For rules that are costly or must not be called twice."""

    commutative: bool = False
    """f(x, y) is f(y, x), to the bit."""

    associative: bool = False
    """f(f(x, y), z) is f(x, f(y, z)), but for rounding."""

    identity: float | None = None
    """The number e with f(x, e) = x for every x, and f(e, x) = x if the op is commutative."""

    view: bool = False
    """Given one array and no other, the result moves no element: it is a view of that array
    wherever its memory layout allows (`reshape` is a copy where it does not)."""

    leading_axes: bool = False
    """An array with further axes in front is taken as a batch: all axes that the attributes name
    count from the end. Such an op needs no batching rule."""

    inserts_axes: bool = False
    """The attribute `axis` counts the axes of the result, not those of the first input."""

    selects: int | None = None
    """The result is the output of this index of its only input, an op of several outputs."""

    copies: bool = False
    """The result is its only input, in memory of its own."""

    chooser: str | None = None
    """For an op that takes each element of its result from one of two inputs, `where`: the input,
    by name, that says from which. The two follow it, the one for True first."""

    symbol: str | None = None
    """How pictures and equations write the op, as "+" or "σ"; None: by its name."""

    places: Callable[..., Any] | None = None
    """For an op that only puts its inputs side by side (`concatenate`, `stack`):
    `places(result, *inputs, **attributes)` are the parts of `result`, as views, that the inputs
    are copied to."""

    section: Callable[..., Section | None] | None = None
    """For an op that takes one part of its input (`split`, a slice):
    `section(shape, output, **attributes)` is the part of an input of that shape that output
    number `output` is (None: the only output), or None if it is not one part along one axis."""

    permutation: Callable[..., tuple[int, ...]] | None = None
    """For an op that puts the axes in another order: `permutation(**attributes)` is that order,
    counted from the end, as `np.transpose` takes it."""

    contraction: Callable[..., str] | None = None
    """For a product of arrays, summed over common axes: `contraction(*ndims, **attributes)` are
    the `np.einsum` subscripts of what it computes for inputs of so many axes. Batch axes that
    broadcast are an ellipsis."""
