"""CompiledStep: the programs of a traced step, forward and backward, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...ops import generator
from ..backends.executor import build, executing_on, get_executor
from ..backends.numpy.executable import Executable
from ..drawing import drawing_from
from ..ir.cost import row_seconds
from ..ir.schedule import STATIC
from ..ir.step import Step
from ..memory.pool import workspaces
from ..memory.results import Results
from ..memory.workspace import Workspace, outside
from ..pipeline import optimize
from ..trace.batching import batched
from ..trace.differentiation import Differentiated
from ..trace.tracers import StepGraph
from .chunks import Workspaces, chunks
from .ragged import Span, spans

__all__ = ["CompiledStep"]

Array = Any


class CompiledStep:
    """The programs of a traced step, and workspaces that no run is using."""

    def __init__(self, of: Differentiated, reverse: bool, step: Step | None = None) -> None:
        self._of, self._reverse, self._executor = of, reverse, get_executor()
        self._derived: dict[Any, CompiledStep] = {}
        self.results = Results(id(self))
        self.step = step = step or of.lowered()
        self.wanted = [d is not None for d in step.gradients()]  # of x, the carry and the leaves
        self._rows, self._elements = step.rows, sum(value.sample.size for value in step.carry)
        self._row_seconds: float | None = None
        self._rows_independent: dict[
            int, bool
        ] = {}  # by a number of rows: whether they can run alone
        self._compile()

    def _compile(self) -> None:
        step, reverse = self.step, self._reverse
        optimized = optimize(step)
        forward, backward = optimized.forward, optimized.backward
        assert forward is not None
        self.given = [*step.xs, *step.leaves]
        self._shared = len(optimized.invariants)
        kept = forward.residuals
        self.forward = build(step.label, "forward", forward, self.given, reverse, kept=kept)
        varying = filter(forward.time_varying, forward.instructions())
        self._largest = max((value.sample.size for value in varying), default=1)
        self.backward: Executable | None = None
        if backward is not None:
            given = [*self.given, *step.grad_ys, *step.grad_sums, *optimized.invariants]
            self.backward = build(
                step.label, "backward", backward, given, not reverse, kept, ahead=self.forward
            )

    # Steps that are made of this one; `wanted`: which of their inputs may want a gradient

    def states(self, wanted: Sequence[bool]) -> CompiledStep:
        """The step that returns each carry that it is given, and what it draws."""
        return self._made(("states",), wanted, self._of.states, self._reverse)

    def with_states(self, wanted: Sequence[bool]) -> CompiledStep:
        """The step whose ys are followed by those of `states`."""
        return self._made(("with states",), wanted, self._of.with_states, self._reverse)

    def gradient(self, wanted: Sequence[bool]) -> CompiledStep:
        """The backward step, which goes the other way in time."""
        return self._made(("gradient",), wanted, self._of.gradient, not self._reverse)

    def parts(self, norms: Sequence[bool], wanted: Sequence[bool]) -> CompiledStep:
        """The backward step that also returns what each step adds to the leaves' gradients.

        `norms`: of which leaves the norm of that is enough.
        """
        graph = partial(self._of.parts, norms)
        return self._made(("parts", *norms), wanted, graph, not self._reverse)

    def tangent(
        self, moving: Sequence[bool], wanted: Sequence[bool], size: int | None
    ) -> CompiledStep:
        """The step that takes tangents of its `moving` inputs forward, beside the values.

        `size`: that of a leading axis of the tangents, for as many directions at once.
        """
        graph = partial(self._of.tangent, moving)
        return self._made(("tangent", *moving, size), wanted, graph, self._reverse, size)

    def _made(
        self,
        what: tuple[Any, ...],
        wanted: Sequence[bool],
        graph: Callable[[], StepGraph],
        reverse: bool,
        size: int | None = None,
    ) -> CompiledStep:
        key = *what, *wanted
        if key not in self._derived:
            state = generator().bit_generator.state
            with executing_on(self._executor), drawing_from(state):  # its samples, from nobody
                of = Differentiated(graph().wanting(wanted))
                step = None if size is None else batched(of.lowered(), self.step, size)
                self._derived[key] = CompiledStep(of, reverse, step)
        return self._derived[key]

    def chunks(self, steps: int) -> Sequence[tuple[int, int]]:
        """The first step of each chunk of a run, and the one after its last."""
        return chunks(steps, self._rows, self._elements, self._largest)

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
        self, ahead: Workspace, given: Sequence[Array], carry: Sequence[Array], steps: int
    ) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
        """The ys, the last carry, the sums, and what the backward run needs besides.

        The ys may be arrays of the workspace, or those that were given.
        """
        results, last = self.forward.run(ahead, steps, given, carry)
        count, shared = len(self.step.ys), len(results) - self._shared
        found = _results(self.forward, ahead, results[:shared], count, steps)
        return found[:count], last, found[count:], [outside(ahead, x) for x in results[shared:]]

    def run_backward(
        self, back: Workspace, given: Sequence[Array], grad_carry: Sequence[Array], steps: int
    ) -> tuple[list[Array | None], list[Array | None], list[Array | None]]:
        """The gradients of the xs, of the carry and of the leaves; None where there is none.

        Those of the xs may be arrays of the workspace.
        """
        assert self.backward is not None
        step = self.step
        results, last = self.backward.run(back, steps, given, grad_carry)
        count = len(step.d_xs) - step.d_xs.count(None)
        each = iter(_results(self.backward, back, results, count, steps))
        d_xs = [None if d is None else next(each) for d in step.d_xs]
        d_leaves = [None if d is None else next(each) for d in step.d_leaves]
        pairs = zip(step.d_carry, last, strict=True)
        return d_xs, [None if d is None else found for d, found in pairs], d_leaves


def _results(
    of: Executable, workspace: Workspace, results: Sequence[Array], count: int, steps: int
) -> list[Array]:
    """The first `count` with a leading time axis each, and the others summed over time.

    The sums are outside the workspace, and none shares its memory with another.
    """
    found: list[Array] = []
    sums: set[int] = set()  # their ids
    for number, (x, stage) in enumerate(zip(results, of.result_stages, strict=False)):
        if number < count:
            if stage in STATIC:  # the same at every step
                x = np.broadcast_to(x, (steps, *np.shape(x)))
        else:
            if stage != "total":
                x = np.multiply(x, steps, dtype=np.asarray(x).dtype)
            elif x.base is not None or id(x) in workspace.owners or id(x) in sums:
                x = np.array(x, order="C")
            sums.add(id(x))
        found.append(x)
    return found
