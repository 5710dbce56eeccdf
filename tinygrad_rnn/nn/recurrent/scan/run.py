"""Run: one run of a compiled step over a sequence, piece by piece, and its backward run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ....engine.autograd import propagate
from ....engine.mode import enable_grad
from ....engine.node import Node
from ....ops import generator
from ..cell import Cell
from ..nest import leaves, like
from ..unroll import unroll
from .pieces import Sums, pieces, pieces_to_keep

if TYPE_CHECKING:
    from .scan import CompiledStep

__all__ = ["Run"]

Array = Any


class Run:
    """One run of a scan: holds its workspaces until no backward pass can need them."""

    def __init__(
        self,
        compiled: CompiledStep,
        cell: Cell,
        state: Any,
        valid: Any,
        reverse: bool,
        lengths: Any,
        steps: int,
        checkpoint: int | str | None,
    ) -> None:
        self.compiled, self.cell, self.state = compiled, cell, state
        self.valid, self.reverse, self.lengths, self.steps = valid, reverse, lengths, steps
        self.pieces = pieces(steps, compiled.step)[:: -1 if reverse else 1]  # in running order
        kept = pieces_to_keep(checkpoint, steps, len(self.pieces))
        self.workspaces = compiled.take(steps, kept if compiled.backward is not None else 1)
        self._starts: dict[int, Any] = {}  # by piece: states and random state at a checkpoint
        self._present = 0  # the first of the pieces whose values are in the workspaces
        self._of: Any = None  # the gradient that the cached result belongs to
        self._result: list[Any] = []

    def __del__(self) -> None:
        self.compiled.give_back(self.steps, self.workspaces)

    def _given(self, arrays: Sequence[Array], first: int, last: int) -> list[Array]:
        x, leaf_arrays = arrays[0], arrays[1 + len(self.compiled.step.state) :]
        mask = [] if self.valid is None else [self.valid[first:last]]
        return [x[first:last], *mask, *leaf_arrays]

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs of all steps, and the final states."""
        states: Sequence[Array] = arrays[1 : 1 + len(self.compiled.step.state)]
        self._random = generator().bit_generator.state if self.compiled.step.drawn else None
        outputs: Any = None
        for number, (first, last) in enumerate(self.pieces):
            output, states = self._ahead(number, arrays, states)
            if len(self.pieces) == 1:
                return (output, *states)
            if outputs is None:
                outputs = np.empty((self.steps, *output.shape[1:]), output.dtype)
            outputs[first:last] = output
        return (outputs, *states)

    def _ahead(
        self, number: int, arrays: Sequence[Array], states: Sequence[Array]
    ) -> tuple[Array, Sequence[Array]]:
        """Run one piece from these states: its outputs, and the states after it."""
        if number % self.workspaces.kept == 0:
            drawn = generator().bit_generator.state if self.compiled.step.drawn else None
            self._starts[number], self._present = (states, drawn), number
        first, last = self.pieces[number]
        output, states, self._shared = self.compiled.run_forward(
            self.workspaces.ahead(number, last - first),
            self._given(arrays, first, last),
            states,
            last - first,
            self.reverse,
        )
        return output, states

    def _again(self, start: int, arrays: Sequence[Array]) -> None:
        """Run the pieces after a checkpoint another time, with the same random numbers."""
        states, drawn = self._starts[start]
        with drawing_again(drawn):
            for number in range(start, min(start + self.workspaces.kept, len(self.pieces))):
                _, states = self._ahead(number, arrays, states)

    def gradient(self, grad: Any, arrays: Sequence[Any], position: int) -> Any:
        """The gradient for one input; all are computed at the first question."""
        if self._of is not grad:
            recorded = isinstance(grad[0], Node)
            self._result = (self._by_unrolling if recorded else self._backward)(grad, arrays)
            self._of = grad
        found = self._result[position]
        return np.zeros_like(arrays[position]) if found is None else found

    def _backward(self, grad: Any, arrays: Sequence[Array]) -> list[Any]:
        compiled = self.compiled
        if compiled.backward is None:  # the outputs depend on nothing that wants a gradient
            return [None] * len(arrays)
        grads: Sequence[Array] = grad[1:]
        d_x: Any = None
        d_states: Sequence[Any] = ()
        sums = Sums()
        for number in reversed(range(len(self.pieces))):
            first, last = self.pieces[number]
            start = number - number % self.workspaces.kept
            if start != self._present:
                self._again(start, arrays)
            d_piece, d_states, d_leaves = compiled.run_backward(
                self.workspaces.back(number, last - first),
                self._given(arrays, first, last),
                grad[0][first:last],
                grads,
                self._shared,
                last - first,
                self.reverse,
            )
            grads = [np.zeros_like(g) if d is None else d for d, g in zip(d_states, grads)]
            sums.add(d_leaves)
            if len(self.pieces) == 1:
                d_x = d_piece
            elif d_piece is not None:
                d_x = np.empty_like(arrays[0]) if d_x is None else d_x
                d_x[first:last] = d_piece
        return [d_x, *d_states, *sums.arrays]

    def _by_unrolling(self, grad: Any, inputs: Sequence[Any]) -> list[Any]:
        """For gradients of gradients: the recorded gradient of the recorded steps."""
        count = 1 + len(self.compiled.step.state)
        with enable_grad(), drawing_again(self._random):
            outputs, final = unroll(
                self.cell,
                inputs[0],
                like(self.state, iter(inputs[1:count])),
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


@contextmanager
def drawing_again(random_state: Any) -> Iterator[None]:
    """Draw the numbers that came after that state of the generator (None: as always)."""
    now = generator().bit_generator.state
    try:
        generator().bit_generator.state = random_state or now
        yield
    finally:
        generator().bit_generator.state = now
