"""Segment: a run of one compiled step over some steps of time, chunk by chunk, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...ops import generator
from ..drawing import drawing_from
from ..ir.instruction import native
from ..memory.workspace import Workspace
from .chunks import Sums, chunks_per_checkpoint

if TYPE_CHECKING:
    from .scan import CompiledStep

__all__ = ["Loop", "Segment"]

Array = Any


class Loop(NamedTuple):
    """A compiled step, and the steps of time that it is to run over.

    `valid` (T, B): which rows go on, or None for all. `first_step`: the number of the first.
    """

    compiled: CompiledStep
    valid: Any
    reverse: bool
    steps: int
    checkpoint: int | str | None
    first_step: int = 0

    @property
    def xs(self) -> int:
        """How many xs there are, without the mask."""
        return len(self.compiled.step.xs) - (self.valid is not None)


class Segment:
    """A run over consecutive steps: holds its workspaces until no backward pass can need them.

    `leaves`: the tensors besides the xs and the carry that it reads. `wanted`: for the xs, the
    carry and the leaves, whether they get a gradient.
    """

    def __init__(self, loop: Loop, leaves: Sequence[Any]) -> None:
        compiled, self.valid, self.reverse, steps, checkpoint, _ = loop
        self.compiled, self.steps, self.leaves = compiled, steps, leaves
        self._xs = xs = loop.xs
        self._carry = slice(xs, xs + len(compiled.step.carry))
        self.wanted = compiled.wanted
        if self.valid is not None:
            self.wanted = [*self.wanted[:xs], *self.wanted[xs + 1 :]]
        self.chunks = compiled.chunks(steps)  # in running order
        if self.reverse:
            self.chunks = self.chunks[::-1]
        kept = len(self.chunks) if checkpoint is None else self._kept(checkpoint)
        self.workspaces = compiled.take(steps, kept if compiled.backward is not None else 1)
        self._starts: dict[int, Any] = {}  # by chunk: states and random state at a checkpoint
        self._present = 0  # the first of the chunks whose values are in the workspaces

    @property
    def drawn(self) -> bool:
        """Whether the step draws random numbers."""
        return bool(self.compiled.step.drawn)

    def __del__(self) -> None:
        self.compiled.give_back(self.steps, self.workspaces)

    def _kept(self, checkpoint: int | str) -> int:
        return chunks_per_checkpoint(checkpoint, self.steps, len(self.chunks))

    def _given(self, arrays: Sequence[Array], first: int, last: int) -> list[Array]:
        first_leaf = self._carry.stop
        xs, leaves = arrays[: self._xs], arrays[first_leaf : first_leaf + len(self.leaves)]
        if self.valid is not None:
            xs = [*xs, self.valid]
        if len(self.chunks) > 1:
            xs = [x[first:last] for x in xs]
        return [*xs, *leaves]

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The ys, the last carry and the sums, from arrays for the xs, the carry and the leaves."""
        arrays = _native(arrays)
        carry: Sequence[Array] = arrays[self._carry]
        if len(self.chunks) == 1:
            ys, carry, sums = self._ahead(0, arrays, carry)
            held = self.workspaces.ahead(0, self.steps)
            return (*[self._own(y, held, arrays) for y in ys], *carry, *sums)
        outputs: list[Array] = []
        totals = Sums()
        for number, (first, last) in enumerate(self.chunks):
            ys, carry, sums = self._ahead(number, arrays, carry)
            totals.add(sums)
            outputs = outputs or [self._empty(y) for y in ys]
            for whole, y in zip(outputs, ys, strict=True):
                whole[first:last] = y
        return (*outputs, *carry, *totals.arrays)

    def _ahead(
        self, number: int, arrays: Sequence[Array], carry: Sequence[Array]
    ) -> tuple[list[Array], Sequence[Array], list[Array]]:
        """Run one chunk from this carry: its ys, the carry after it, and the chunk's sums."""
        if number % self.workspaces.kept == 0:
            drawn = generator().bit_generator.state if self.compiled.step.drawn else None
            self._starts[number], self._present = (carry, drawn), number
        first, last = self.chunks[number]
        ahead = self.workspaces.ahead(number, last - first)
        given = self._given(arrays, first, last)
        ys, carry, sums, self._shared = self.compiled.run_forward(ahead, given, carry, last - first)
        return ys, carry, sums

    def _again(self, start: int, arrays: Sequence[Array]) -> None:
        """Run the chunks after a checkpoint another time, with the same random numbers."""
        carry, drawn = self._starts[start]
        with drawing_from(drawn):
            for number in range(start, min(start + self.workspaces.kept, len(self.chunks))):
                _, carry, _ = self._ahead(number, arrays, carry)

    def backward(self, grad: Any, arrays: Sequence[Array]) -> list[Any]:
        """The gradients of those arrays, None for zero, from those of its results.

        Each has memory of its own.
        """
        compiled = self.compiled
        if compiled.backward is None:  # the results depend on nothing that wants a gradient
            return [None] * len(arrays)
        arrays, grad = _native(arrays), _native(grad)
        count, last_carry = len(compiled.step.ys), len(compiled.step.ys) + len(compiled.step.carry)
        grad_ys, grad_carry, grad_sums = grad[:count], grad[count:last_carry], grad[last_carry:]
        d_xs: list[Any] = [None] * self._xs
        d_carry: Sequence[Any] = ()
        sums = Sums()
        for number in reversed(range(len(self.chunks))):
            first, last = self.chunks[number]
            start = number - number % self.workspaces.kept
            if start != self._present:
                self._again(start, arrays)
            back = self.workspaces.back(number, last - first)
            given = self._given(arrays, first, last)
            given += grad_ys if len(self.chunks) == 1 else [g[first:last] for g in grad_ys]
            given += [*grad_sums, *self._shared]
            d_chunks, d_carry, d_leaves = compiled.run_backward(
                back, given, grad_carry, last - first
            )
            grad_carry = [np.zeros_like(g) if d is None else d for d, g in zip(d_carry, grad_carry)]
            sums.add(d_leaves)
            for k, d in enumerate(d_chunks[: self._xs]):
                if d is None:
                    continue
                if len(self.chunks) == 1:
                    d_xs[k] = self._own(d, back, [*grad_ys, *d_xs[:k]])
                else:
                    d_xs[k] = self._empty(d) if d_xs[k] is None else d_xs[k]
                    d_xs[k][first:last] = d
        constants = [None] * (len(arrays) - self._carry.stop - len(self.leaves))
        return [*d_xs, *d_carry, *sums.arrays, *constants]

    def _empty(self, like: Array) -> Array:
        """An array for the results of all steps, from that of a chunk."""
        return self.compiled.results.empty((self.steps, *like.shape[1:]), like.dtype)

    def _own(self, result: Array, workspace: Workspace, given: Sequence[Array]) -> Array:
        """A result in memory of its own: not the workspace's, nor what was given, seen anew."""
        own = result.base is None and id(result) not in workspace.owners
        if own and not any(result is a for a in given):
            return result
        return self.compiled.results.copy(result)


def _native(arrays: Sequence[Array]) -> Sequence[Array]:
    """The arrays in the byte order of the processor."""
    return [x if x.dtype.isnative else native(x) for x in arrays]
