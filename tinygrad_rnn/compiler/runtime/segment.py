"""Segment: a run of one compiled step over some steps of time, chunk by chunk, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ops import generator
from .chunks import GradientSums, chunks_per_checkpoint

if TYPE_CHECKING:
    from .scan import CompiledStep

__all__ = ["Segment", "drawing_again"]

Array = Any


class Segment:
    """A run over consecutive steps: holds its workspaces until no backward pass can need them.

    `leaves`: the tensors besides x and the states that it reads. `wanted`: for x, the states and
    the leaves, whether they get a gradient.
    """

    def __init__(
        self,
        compiled: CompiledStep,
        valid: Any,
        reverse: bool,
        steps: int,
        checkpoint: int | str | None,
    ) -> None:
        self.compiled, self.valid, self.reverse, self.steps = compiled, valid, reverse, steps
        self.leaves, self.wanted = compiled.step.leaves, compiled.wanted
        self.chunks = compiled.chunks(steps)  # in running order
        if reverse:
            self.chunks = self.chunks[::-1]
        kept = chunks_per_checkpoint(checkpoint, steps, len(self.chunks))
        self.workspaces = compiled.take(steps, kept if compiled.backward is not None else 1)
        self._starts: dict[int, Any] = {}  # by chunk: states and random state at a checkpoint
        self._present = 0  # the first of the chunks whose values are in the workspaces

    @property
    def drawn(self) -> bool:
        """Whether the step draws random numbers."""
        return bool(self.compiled.step.drawn)

    def __del__(self) -> None:
        self.compiled.give_back(self.steps, self.workspaces)

    def _given(self, arrays: Sequence[Array], first: int, last: int) -> list[Array]:
        x, leaf_arrays = arrays[0], arrays[1 + len(self.compiled.step.state) :]
        mask = [] if self.valid is None else [self.valid[first:last]]
        return [x[first:last], *mask, *leaf_arrays]

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs and the final states, from arrays for x, the states and the leaves."""
        states: Sequence[Array] = arrays[1 : 1 + len(self.compiled.step.state)]
        outputs: Any = None
        for number, (first, last) in enumerate(self.chunks):
            output, states = self._ahead(number, arrays, states)
            if len(self.chunks) == 1:
                return (output, *states)
            if outputs is None:
                outputs = np.empty((self.steps, *output.shape[1:]), output.dtype)
            outputs[first:last] = output
        return (outputs, *states)

    def _ahead(
        self, number: int, arrays: Sequence[Array], states: Sequence[Array]
    ) -> tuple[Array, Sequence[Array]]:
        """Run one chunk from these states: its outputs, and the states after it."""
        if number % self.workspaces.kept == 0:
            drawn = generator().bit_generator.state if self.compiled.step.drawn else None
            self._starts[number], self._present = (states, drawn), number
        first, last = self.chunks[number]
        output, states, self._shared = self.compiled.run_forward(
            self.workspaces.ahead(number, last - first),
            self._given(arrays, first, last),
            states,
            last - first,
            self.reverse,
        )
        return output, states

    def _again(self, start: int, arrays: Sequence[Array]) -> None:
        """Run the chunks after a checkpoint another time, with the same random numbers."""
        states, drawn = self._starts[start]
        with drawing_again(drawn):
            for number in range(start, min(start + self.workspaces.kept, len(self.chunks))):
                _, states = self._ahead(number, arrays, states)

    def backward(self, grad: Any, arrays: Sequence[Array]) -> list[Any]:
        """The gradients of those arrays, None for zero, from those of the outputs and states."""
        compiled = self.compiled
        if compiled.backward is None:  # the outputs depend on nothing that wants a gradient
            return [None] * len(arrays)
        grads: Sequence[Array] = grad[1:]
        d_x: Any = None
        d_states: Sequence[Any] = ()
        sums = GradientSums()
        for number in reversed(range(len(self.chunks))):
            first, last = self.chunks[number]
            start = number - number % self.workspaces.kept
            if start != self._present:
                self._again(start, arrays)
            d_chunk, d_states, d_leaves = compiled.run_backward(
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
            if len(self.chunks) == 1:
                d_x = d_chunk
            elif d_chunk is not None:
                d_x = np.empty_like(arrays[0]) if d_x is None else d_x
                d_x[first:last] = d_chunk
        return [d_x, *d_states, *sums.arrays]


@contextmanager
def drawing_again(random_state: Any) -> Iterator[None]:
    """Draw the numbers that came after that state of the generator (None: as always)."""
    now = generator().bit_generator.state
    try:
        generator().bit_generator.state = random_state or now
        yield
    finally:
        generator().bit_generator.state = now
