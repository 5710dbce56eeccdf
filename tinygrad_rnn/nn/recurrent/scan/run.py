"""Run: what one node of a scan computes, forward and back, stretch by stretch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ....engine.autograd import propagate
from ....engine.mode import enable_grad
from ....engine.node import Node
from ....ops import generator
from ..cell import Cell
from ..nest import leaves, like
from ..unroll import unroll
from .going import Span
from .stretch import Stretch, drawing_again

__all__ = ["Part", "Run"]

Array = Any


class Part(NamedTuple):
    """A stretch of a run, its steps and rows, and where its leaves stand among the run's inputs."""

    span: Span
    stretch: Stretch
    leaves: Sequence[int]

    @property
    def steps(self) -> slice:
        """The steps of the part."""
        return slice(self.span.first, self.span.last)

    def inputs(self, arrays: Sequence[Array], states: Sequence[Array]) -> list[Array]:
        """Its inputs from those of the run; its states apart from those of the whole batch."""
        x, rows = arrays[0][self.steps, self.span.rows], self.span.rows
        return [x, *(np.array(state[rows]) for state in states), *(arrays[k] for k in self.leaves)]


class Run:
    """One run of a scan; its parts, in running order, may be on fewer and fewer rows.

    A row's state stays, and its outputs are zero, at the steps at which it is in no part.
    """

    def __init__(
        self,
        cell: Cell,
        state: Any,
        reverse: bool,
        lengths: Any,
        parts: Sequence[Part],
        undivided: bool,
    ) -> None:
        self.cell, self.state, self.reverse, self.lengths = cell, state, reverse, lengths
        self.parts = parts
        self._undivided = undivided
        self._states = slice(1, 1 + len(leaves(state)))  # their places among the inputs
        self._of: Any = None  # the gradient that the cached result belongs to
        self._result: list[Any] = []

    def wanted(self) -> set[int]:
        """The places of the inputs that get a gradient."""
        states = range(self._states.start, self._states.stop)
        found = set() if self._undivided else set(states)  # of rows that are in no part
        for part in self.parts:
            step = part.stretch.compiled.step
            derivatives = [step.d_x, *step.d_state, *step.d_leaves]
            places = [0, *states, *part.leaves]
            found.update(k for k, d in zip(places, derivatives, strict=True) if d is not None)
        return found

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs of all steps, and the final states."""
        drawn = self.parts[0].stretch.compiled.step.drawn
        self._random = generator().bit_generator.state if drawn else None
        if self._undivided:
            return self.parts[0].stretch.forward(arrays)
        states = [np.array(state) for state in arrays[self._states]]
        outputs: Any = None
        for part in self.parts:
            output, *new = part.stretch.forward(part.inputs(arrays, states))
            if outputs is None:
                outputs = np.zeros((*arrays[0].shape[:2], *output.shape[2:]), output.dtype)
            outputs[part.steps, part.span.rows] = output
            for state, now in zip(states, new, strict=True):
                state[part.span.rows] = now
        return (outputs, *states)

    def gradient(self, grad: Any, arrays: Sequence[Any], position: int) -> Any:
        """The gradient for one input; all are computed at the first question."""
        if self._of is not grad:
            recorded = isinstance(grad[0], Node)
            self._result = (self._by_unrolling if recorded else self._backward)(grad, arrays)
            self._of = grad
        found = self._result[position]
        return np.zeros_like(arrays[position]) if found is None else found

    def _backward(self, grad: Any, arrays: Sequence[Array]) -> list[Any]:
        if self._undivided:
            return self.parts[0].stretch.backward(grad, arrays)
        d_states = [np.array(g) for g in grad[1:]]
        found: list[Any] = [None, *d_states, *[None] * (len(arrays) - self._states.stop)]
        for part in reversed(self.parts):
            steps, rows = part.steps, part.span.rows
            d_x, *rest = part.stretch.backward(
                [grad[0][steps, rows], *(g[rows] for g in d_states)],
                part.inputs(arrays, arrays[self._states]),
            )
            if d_x is not None:
                found[0] = np.zeros_like(arrays[0]) if found[0] is None else found[0]
                found[0][steps, rows] = d_x
            for whole, d in zip(d_states, rest):
                whole[rows] = 0 if d is None else d
            for place, d in zip(part.leaves, rest[len(d_states) :], strict=True):
                if d is not None:
                    found[place] = d if found[place] is None else found[place] + d
        return found

    def _by_unrolling(self, grad: Any, inputs: Sequence[Any]) -> list[Any]:
        """For gradients of gradients: the recorded gradient of the recorded steps."""
        with enable_grad(), drawing_again(self._random):
            outputs, final = unroll(
                self.cell,
                inputs[0],
                like(self.state, iter(inputs[self._states])),
                reverse=self.reverse,
                lengths=self.lengths,
            )
        pairs = [
            (out, g)
            for out, g in zip([outputs, *leaves(final)], grad, strict=True)
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
