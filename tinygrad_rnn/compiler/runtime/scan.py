"""CompiledStep: the programs of a traced step, forward and backward, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backends.executor import build
from ..backends.numpy.executable import Executable
from ..ir.cost import row_seconds
from ..ir.step import Step
from ..memory.pool import workspaces
from ..memory.workspace import Workspace, outside
from ..pipeline import optimize
from .chunks import Workspaces, chunks
from .ragged import Span, spans

__all__ = ["CompiledStep"]

Array = Any


class CompiledStep:
    """The programs of a traced step, and workspaces that no run is using."""

    def __init__(self, step: Step, reverse: bool) -> None:
        self.step = step
        self.wanted = [d is not None for d in step.gradients()]  # of x, the carry and the leaves
        self._elements = sum(value.sample.size for value in step.carry)
        self._row_seconds: float | None = None
        self._rows_independent: dict[
            int, bool
        ] = {}  # by a number of rows: whether they can run alone
        self._compile(step, reverse)

    def _compile(self, step: Step, reverse: bool) -> None:
        optimized = optimize(step)
        forward, backward = optimized.forward, optimized.backward
        assert forward is not None
        self.given = [*step.xs, *step.leaves]
        self._shared = len(optimized.invariants)
        kept = forward.residuals
        self.forward = build(step.label, "forward", forward, self.given, reverse, kept=kept)
        self.backward: Executable | None = None
        if backward is not None:
            given = [*self.given, *step.grad_ys, *optimized.invariants]
            self.backward = build(
                step.label, "backward", backward, given, not reverse, kept, ahead=self.forward
            )

    def chunks(self, steps: int) -> Sequence[tuple[int, int]]:
        """The first step of each chunk of a run, and the one after its last."""
        return chunks(steps, self.step.rows, self._elements)

    def spans(self, independent: Callable[[int], bool], lengths: Any, steps: int) -> list[Span]:
        """The spans of time to run for those lengths, each with the rows that it needs.

        `independent(rows)`: whether so many rows can run without the others.
        """
        if self._row_seconds is None:
            self._row_seconds = row_seconds(
                [p.schedule for p in (self.forward, self.backward) if p], len(lengths)
            )
        prices = self._row_seconds, self.forward.mask
        found = spans(lengths, steps, *prices, shrink=not self.step.drawn)
        for size in {span.size for span in found} - {len(lengths)}:
            if size not in self._rows_independent:
                self._rows_independent[size] = independent(size)
            if not self._rows_independent[size]:
                return spans(lengths, steps, *prices, shrink=False)
        return found

    # Workspaces

    def take(self, steps: int, kept: int) -> Workspaces:
        """Arrays for a run of that many steps, `kept` chunks at a time, which no other run has."""
        idle = workspaces.take((id(self), steps, kept))
        return idle or Workspaces(self.forward, self.backward, kept)

    def give_back(self, steps: int, held: Workspaces) -> None:
        """The arrays of a run that is over, for later runs."""
        workspaces.give_back((id(self), steps, held.kept), held)

    def __del__(self) -> None:
        workspaces.drop(id(self))

    # Running

    def run_forward(
        self,
        ahead: Workspace,
        arrays: Sequence[Array],
        carry: Sequence[Array],
        steps: int,
        reverse: bool,
    ) -> tuple[list[Array], list[Array], tuple[Array, ...]]:
        """The ys, the last carry, and what the backward run needs besides the workspace.

        The ys may be arrays of the workspace, or those that were given.
        """
        for whole, leaf in zip(ahead.arrays.carries, carry, strict=True):
            whole[steps if reverse else 0] = leaf
        results = self.forward.run(ahead, steps, arrays)
        count = len(self.step.ys)
        varying = self.forward.schedule.time_varying
        ys = []
        for y, planned in zip(results[:count], self.forward.schedule.results, strict=False):
            ys.append(y if varying(planned) else np.broadcast_to(y, (steps, *np.shape(y))))
        last = [
            np.array(whole[0 if reverse else steps], order="C") for whole in ahead.arrays.carries
        ]
        shared = [outside(ahead, x) for x in results[count : count + self._shared]]
        return ys, last, tuple(shared)

    def run_backward(
        self,
        back: Workspace,
        arrays: Sequence[Array],
        grad_ys: Sequence[Array],
        grad_carry: Sequence[Array],
        shared: Sequence[Array],
        steps: int,
        reverse: bool,
    ) -> tuple[list[Array | None], list[Array | None], list[Array | None]]:
        """The gradients of the xs, of the carry and of the leaves; None where there is none.

        Those of the xs may be arrays of the workspace.
        """
        assert self.backward is not None
        for whole, grad in zip(back.arrays.carries, grad_carry, strict=True):
            whole[0 if reverse else steps] = grad
        results = iter(self.backward.run(back, steps, [*arrays, *grad_ys, *shared]))
        d_xs = [None if d is None else next(results) for d in self.step.d_xs]
        d_carry = [
            None if d is None else np.array(whole[steps if reverse else 0], order="C")
            for d, whole in zip(self.step.d_carry, back.arrays.carries, strict=True)
        ]
        d_leaves = [None if d is None else outside(back, next(results)) for d in self.step.d_leaves]
        return d_xs, d_carry, d_leaves
