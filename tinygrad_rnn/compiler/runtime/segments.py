"""Segments: a run on ever fewer rows of a batch, one span of time after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .ragged import Span
from .segment import Segment

__all__ = ["Part", "Segments"]

Array = Any


class Part(NamedTuple):
    """A segment of a run, and its steps and rows."""

    span: Span
    segment: Segment

    @property
    def steps(self) -> slice:
        """The steps of the part."""
        return slice(self.span.first, self.span.last)


class Segments:
    """Consecutive segments, in running order, on ever fewer rows.

    `leaves`: the leaves of the step on all rows, which come first among the leaves of all parts. At
    steps where no part includes a row, its carry is kept and its ys are zero.
    """

    def __init__(
        self, parts: Sequence[Part], leaves: Sequence[Any], xs: int, steps: int, batch: int
    ) -> None:
        self.parts = parts
        self.steps, self.batch = steps, batch
        self._results = parts[0].segment.compiled.results
        step = parts[0].segment.compiled.step
        self._xs, self._ys = xs, len(step.ys)
        self._carry = slice(xs, xs + len(step.carry))  # its places among the inputs
        places: dict[Any, int] = {}  # of the leaves, among the inputs
        for leaf in (*leaves, *(leaf for part in parts for leaf in part.segment.leaves)):
            places.setdefault(leaf, self._carry.stop + len(places))
        self.leaves = [*places]
        self._leaves = [[places[leaf] for leaf in part.segment.leaves] for part in parts]
        # The carry of rows in no part is passed through in any case.
        self.wanted = [False] * xs + [True] * len(step.carry) + [False] * len(places)
        for part, its_leaves in zip(parts, self._leaves, strict=True):
            wanted = part.segment.wanted
            for place in range(xs):
                self.wanted[place] |= wanted[place]
            for place, want in zip(its_leaves, wanted[self._carry.stop :], strict=True):
                self.wanted[place] |= want

    @property
    def drawn(self) -> bool:
        """Whether the steps draw random numbers."""
        return any(part.segment.drawn for part in self.parts)

    def _inputs(self, number: int, arrays: Sequence[Array], carry: Sequence[Array]) -> list[Array]:
        """The inputs of a part, from those of the run; the carry is copied out of the batch."""
        part = self.parts[number]
        rows = part.span.rows
        return [
            *(x[part.steps, rows] for x in arrays[: self._xs]),
            *(np.array(leaf[rows]) for leaf in carry),
            *(arrays[k] for k in self._leaves[number]),
        ]

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The ys of all steps, and the last carry."""
        carry = [np.array(leaf) for leaf in arrays[self._carry]]
        outputs: list[Array] = []
        for number, part in enumerate(self.parts):
            results = part.segment.forward(self._inputs(number, arrays, carry))
            ys, new = results[: self._ys], results[self._ys :]
            if not outputs:
                outputs = [self._zeros(y) for y in ys]
            for whole, y in zip(outputs, ys, strict=True):
                whole[part.steps, part.span.rows] = y
            for whole, now in zip(carry, new, strict=True):
                whole[part.span.rows] = now
        return (*outputs, *carry)

    def backward(self, grad: Any, arrays: Sequence[Array]) -> list[Any]:
        """The gradients of the inputs, None for zero."""
        d_carry = [np.array(g) for g in grad[self._ys :]]
        found: list[Any] = [None] * len(arrays)
        found[self._carry] = d_carry
        for number, part in reversed([*enumerate(self.parts)]):
            steps, rows = part.steps, part.span.rows
            results = part.segment.backward(
                [*(g[steps, rows] for g in grad[: self._ys]), *(g[rows] for g in d_carry)],
                self._inputs(number, arrays, arrays[self._carry]),
            )
            for k, d in enumerate(results[: self._xs]):
                if d is not None:
                    found[k] = self._zeros(d) if found[k] is None else found[k]
                    found[k][steps, rows] = d
            for whole, d in zip(d_carry, results[self._carry]):
                whole[rows] = 0 if d is None else d
            for place, d in zip(self._leaves[number], results[self._carry.stop :]):
                if d is not None:
                    found[place] = d if found[place] is None else found[place] + d
        return found

    def _zeros(self, like: Array) -> Array:
        """Zeros for all steps and rows, from the result of a part."""
        shape = self.steps, self.batch, *like.shape[2:]
        return self._results.zeros(shape, like.dtype)
