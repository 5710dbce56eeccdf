"""Run: what one node of a scan computes, forward and back, segment by segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import pytree
from ...engine.autograd import propagate
from ...engine.mode import enable_grad
from ...engine.node import Node
from ...nn.recurrent.cell import Cell
from ...nn.recurrent.unroll import unroll
from ...ops import generator
from .ragged import Span
from .segment import Segment, drawing_again

__all__ = ["Part", "Run", "Segments"]

Array = Any


class Run:
    """One run of a scan: what its node computes, forward and back.

    `work`: the same for arrays alone, its `leaves`, and which inputs are `wanted`.
    """

    def __init__(
        self, work: Segment | Segments, cell: Cell, state: Any, reverse: bool, lengths: Any
    ) -> None:
        self.work = work
        self.cell, self.state, self.reverse, self.lengths = cell, state, reverse, lengths
        self._of: Any = None  # the gradient that the cached result belongs to
        self._result: list[Any] = []

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs of all steps, and the final states, from x, the states and the leaves."""
        self._random = generator().bit_generator.state if self.work.drawn else None
        return self.work.forward(arrays)

    def gradient(self, grad: Any, arrays: Sequence[Any], position: int) -> Any:
        """The gradient for one input; all are computed at the first question."""
        if self._of is not grad:
            recorded = isinstance(grad[0], Node)
            self._result = (self._by_unrolling if recorded else self.work.backward)(grad, arrays)
            self._of = grad
        found = self._result[position]
        return np.zeros_like(arrays[position]) if found is None else found

    def _by_unrolling(self, grad: Any, inputs: Sequence[Any]) -> list[Any]:
        """For gradients of gradients: the recorded gradient of the recorded steps."""
        state = inputs[1 : 1 + len(pytree.leaves(self.state))]
        with enable_grad(), drawing_again(self._random):
            outputs, final = unroll(
                self.cell,
                inputs[0],
                pytree.unflatten(self.state, state),
                reverse=self.reverse,
                lengths=self.lengths,
            )
        pairs = [
            (out, g)
            for out, g in zip([outputs, *pytree.leaves(final)], grad, strict=True)
            if out.requires_grad
        ]
        wanted = [x for x in inputs if isinstance(x, Node) and x.requires_grad]
        found = propagate(
            [out for out, _ in pairs],
            [g for _, g in pairs],
            wanted=wanted,
            create_graph=True,
            retain_graph=True,
        )
        return [found.get(x) if isinstance(x, Node) else None for x in inputs]


class Part(NamedTuple):
    """A segment of a run, and its steps and rows."""

    span: Span
    segment: Segment

    @property
    def steps(self) -> slice:
        """The steps of the part."""
        return slice(self.span.first, self.span.last)


class Segments:
    """Stretches one after the other, in running order, on fewer and fewer rows.

    A row's state stays, and its outputs are zero, at the steps at which it is in no part.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        first = parts[0].segment.compiled.step
        self._states = slice(1, 1 + len(first.state))  # their places among the inputs
        places: dict[Any, int] = {}  # of the leaves of all parts, among the inputs
        for leaf in (leaf for part in parts for leaf in part.segment.leaves):
            places.setdefault(leaf, self._states.stop + len(places))
        self.leaves = [*places]
        self._leaves = [[places[leaf] for leaf in part.segment.leaves] for part in parts]
        # The states of rows that are in no part go through in any case.
        self.wanted = [False, *[True] * len(first.state), *[False] * len(places)]
        for part, its_leaves in zip(parts, self._leaves, strict=True):
            x_wanted, *others = part.segment.wanted
            self.wanted[0] |= x_wanted
            for place, wanted in zip(its_leaves, others[len(first.state) :], strict=True):
                self.wanted[place] |= wanted

    @property
    def drawn(self) -> bool:
        """Whether the steps draw random numbers."""
        return any(part.segment.drawn for part in self.parts)

    def _inputs(self, number: int, arrays: Sequence[Array], states: Sequence[Array]) -> list[Array]:
        """Those of a part from those of the run; states are copied out of the whole batch."""
        part = self.parts[number]
        rows = part.span.rows
        own_states = (np.array(state[rows]) for state in states)
        return [
            arrays[0][part.steps, rows],
            *own_states,
            *(arrays[k] for k in self._leaves[number]),
        ]

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs of all steps, and the final states."""
        states = [np.array(state) for state in arrays[self._states]]
        outputs: Any = None
        for number, part in enumerate(self.parts):
            output, *new = part.segment.forward(self._inputs(number, arrays, states))
            if outputs is None:
                outputs = np.zeros((*arrays[0].shape[:2], *output.shape[2:]), output.dtype)
            outputs[part.steps, part.span.rows] = output
            for state, now in zip(states, new, strict=True):
                state[part.span.rows] = now
        return (outputs, *states)

    def backward(self, grad: Any, arrays: Sequence[Array]) -> list[Any]:
        """The gradients of the inputs, None for zero."""
        d_states = [np.array(g) for g in grad[1:]]
        found: list[Any] = [None, *d_states, *[None] * (len(arrays) - self._states.stop)]
        for number, part in reversed([*enumerate(self.parts)]):
            steps, rows = part.steps, part.span.rows
            d_x, *rest = part.segment.backward(
                [grad[0][steps, rows], *(g[rows] for g in d_states)],
                self._inputs(number, arrays, arrays[self._states]),
            )
            if d_x is not None:
                found[0] = np.zeros_like(arrays[0]) if found[0] is None else found[0]
                found[0][steps, rows] = d_x
            for whole, d in zip(d_states, rest):
                whole[rows] = 0 if d is None else d
            for place, d in zip(self._leaves[number], rest[len(d_states) :], strict=True):
                if d is not None:
                    found[place] = d if found[place] is None else found[place] + d
        return found
