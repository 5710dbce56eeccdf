"""Scan: a cell run over a whole sequence as one op, by a planned program.

The first run of a cell on inputs of some shape traces it, plans both directions and compiles
them; later runs find the program again. The numbers are those of `unroll`, to rounding.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import pytree
from ...engine.guard import fingerprint
from ...engine.mode import is_grad_enabled
from ...engine.op import op
from ...engine.tensor import Tensor
from ...nn.recurrent.cell import Cell
from ...nn.recurrent.unroll import valid_steps
from ..backends.executor import build, get_executor
from ..backends.numpy.executable import Executable
from ..errors import TraceError
from ..ir.cost import row_seconds
from ..ir.step import Step
from ..memory.pool import workspaces
from ..memory.workspace import Workspace
from ..pipeline import optimize
from ..specialization import settings_of
from ..trace.recording import trace
from ..trace.row_independence import rows_independent
from .chunks import Workspaces, chunks
from .node import Part, Run, Segments
from .ragged import Span, spans
from .segment import Segment

__all__ = ["TraceError", "compiled_step", "compiled_steps", "scan"]

Array = Any


def scan(
    cell: Cell,
    x: Tensor,
    state: Any,
    *,
    reverse: bool = False,
    lengths: Any = None,
    checkpoint: int | str | None = None,
) -> tuple[Tensor, Any]:
    """What `unroll` does, as one node of the graph. `TraceError` if the cell cannot be traced.

    `checkpoint`: keep the state of every so many steps and compute the rest again (see `chunks`).
    """
    valid, x = valid_steps(x, lengths)
    states = pytree.leaves(state)
    compiled = compiled_step(cell, x, state, valid, reverse)
    if [leaf._data.dtype for leaf in states] != compiled.next_dtypes:  # start with the wider state
        wider = (leaf.astype(d) for leaf, d in zip(states, compiled.next_dtypes, strict=True))
        state = pytree.unflatten(state, wider)
        return scan(cell, x, state, reverse=reverse, lengths=lengths, checkpoint=checkpoint)
    work: Segment | Segments | None = None
    if valid is not None:
        work = _divided(compiled, cell, x, state, lengths, valid, reverse, checkpoint)
    if work is None:
        work = Segment(compiled, valid, reverse, len(x), checkpoint)
    run = Run(work, cell, state, reverse, lengths)
    inputs = zip((x, *states, *work.leaves), work.wanted, strict=True)
    outputs, *final = _scan(run, *[t if wanted else t.detach() for t, wanted in inputs])
    return outputs, pytree.unflatten(state, final)


def _divided(
    compiled: CompiledStep,
    cell: Cell,
    x: Tensor,
    state: Any,
    lengths: Any,
    valid: Any,
    reverse: bool,
    checkpoint: int | str | None,
) -> Segments | None:
    """Stretches on the rows that go on; None if one segment on all rows is better."""
    spans = compiled.spans(cell, state, lengths, len(x))
    if spans[0].covers(len(x), x.shape[1]):
        return None
    parts = []
    for span in spans:
        mask, steps = _mask(valid, span), span.last - span.first
        each = _compiled_for(span, cell, x, state, mask, reverse)
        if each.next_dtypes != compiled.next_dtypes:  # without a mask the step narrows the state
            return None
        parts.append(Part(span, Segment(each, mask, reverse, steps, checkpoint)))
    return Segments(parts[::-1] if reverse else parts)


def _mask(valid: Any, span: Span) -> Any:
    """Which steps of the span are real, on its rows; None for all."""
    mask = valid[span.first : span.last][:, span.rows]
    return None if mask.all() else mask


def _compiled_for(
    span: Span, cell: Cell, x: Tensor, state: Any, mask: Any, reverse: bool
) -> CompiledStep:
    """The compiled step for so many rows; which ones they are makes no difference to it."""

    def cut(tensor: Tensor, *where: slice) -> Tensor:
        some = Tensor.of(tensor._data[where])
        some.requires_grad = tensor.requires_grad
        return some

    rows = slice(span.size)
    part = cut(x, slice(span.first, span.last), rows)
    return compiled_step(cell, part, pytree.map(lambda s: cut(s, rows), state), mask, reverse)


class CompiledStep:
    """The programs of a traced step, and workspaces that no run is using."""

    def __init__(self, step: Step, reverse: bool) -> None:
        self.step = step
        self.next_dtypes = [new.dtype for new in step.new_state]
        derivatives = [step.d_x, *step.d_state, *step.d_leaves]
        self.wanted = [d is not None for d in derivatives]  # of x, the states and the leaves
        self._elements = sum(value.sample.size for value in step.state)
        self._leaves = [
            (leaf, value.shape, value.dtype, learned)
            for leaf, value, learned in zip(
                step.leaves, step.leaf_values, step.learned, strict=True
            )
        ]
        self._row_seconds: float | None = None
        self._rows_independent: dict[
            int, bool
        ] = {}  # by a number of rows: whether they can run alone
        self._compile(step, reverse)

    def _compile(self, step: Step, reverse: bool) -> None:
        optimized = optimize(step)
        forward, backward = optimized.forward, optimized.backward
        assert forward is not None
        inputs = [step.x, *([step.mask] if step.mask is not None else [])]
        self.given = [*inputs, *step.leaf_values]
        self._shared = len(optimized.invariants)
        kept = forward.residuals
        self.forward = build(step.label, "forward", forward, self.given, reverse, kept=kept)
        self.backward: Executable | None = None
        if backward is not None:
            given = [*self.given, step.grad_output, *optimized.invariants]
            self.backward = build(
                step.label, "backward", backward, given, not reverse, kept, ahead=self.forward
            )

    def fits(self, recording: bool) -> bool:
        """Whether leaves and constants are still such as the step was traced with."""
        for leaf, shape, dtype, learned in self._leaves:
            data = leaf._data
            if data.shape != shape or data.dtype != dtype:
                return False
            if recording and leaf.requires_grad is not learned:
                return False
        return all(fingerprint(array) == known for array, known in self.step.constants)

    def chunks(self, steps: int) -> Sequence[tuple[int, int]]:
        """The first step of each chunk of a run, and the one after its last."""
        return chunks(steps, self.step.x.shape[0], self._elements)

    def spans(self, cell: Cell, state: Any, lengths: Any, steps: int) -> list[Span]:
        """The stretches of time to run for those lengths, each on the rows that it takes."""
        if self._row_seconds is None:
            self._row_seconds = row_seconds(
                [p.schedule for p in (self.forward, self.backward) if p], len(lengths)
            )
        prices = self._row_seconds, self.forward.mask
        found = spans(lengths, steps, *prices, shrink=not self.step.drawn)
        for size in {span.size for span in found} - {len(lengths)}:
            if size not in self._rows_independent:
                self._rows_independent[size] = rows_independent(cell, state, self.step, size)
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
        states: Sequence[Array],
        steps: int,
        reverse: bool,
    ) -> tuple[Array, list[Array], tuple[Array, ...]]:
        """Outputs, final states, and what the backward run needs besides the workspace."""
        for whole, state in zip(ahead.arrays.carries, states, strict=True):
            whole[steps if reverse else 0] = state
        output, *rest = self.forward.run(ahead, steps, arrays)
        if not self.forward.schedule.time_varying(self.forward.schedule.results[0]):
            output = np.broadcast_to(output, (steps, *np.shape(output)))
        if output.base is not None or output is arrays[0]:  # may be x itself, seen in another way
            output = np.array(output, order="C")
        finals = [
            np.array(whole[0 if reverse else steps], order="C") for whole in ahead.arrays.carries
        ]
        return output, finals, tuple(rest[: self._shared])

    def run_backward(
        self,
        back: Workspace,
        arrays: Sequence[Array],
        grad_output: Array,
        grad_states: Sequence[Array],
        shared: Sequence[Array],
        steps: int,
        reverse: bool,
    ) -> tuple[Array | None, list[Array | None], list[Array | None]]:
        """The gradients of x, of the states and of the leaves; None where there is none."""
        assert self.backward is not None
        for whole, grad in zip(back.arrays.carries, grad_states, strict=True):
            whole[0 if reverse else steps] = grad
        results = iter(self.backward.run(back, steps, [*arrays, grad_output, *shared]))
        d_x = None if self.step.d_x is None else next(results)
        d_states = [
            None if d is None else np.array(whole[steps if reverse else 0], order="C")
            for d, whole in zip(self.step.d_state, back.arrays.carries, strict=True)
        ]
        d_leaves = [None if d is None else next(results) for d in self.step.d_leaves]
        return d_x, d_states, d_leaves


@op(reads="run arrays")
def _scan(run: Any, *arrays: Array) -> tuple[Array, ...]:
    return tuple(run.forward(arrays))


_scan.name = "scan"
_scan.vjp(arrays=lambda grad, out, run, *arrays, position: run.gradient(grad, arrays, position))


# Finding compiled steps again

# Those of each cell; or, in words, why it cannot be traced.
_COMPILED: weakref.WeakKeyDictionary[Cell, dict[Any, CompiledStep | str]]
_COMPILED = weakref.WeakKeyDictionary()
_MOST = 16  # kept for a cell


def compiled_step(cell: Cell, x: Tensor, state: Any, valid: Any, reverse: bool) -> CompiledStep:
    """The compiled step for inputs like these; traced and planned if there is none yet.

    `TraceError` if the cell cannot be traced, which is tried once.
    """
    states = pytree.leaves(state)
    recording = is_grad_enabled()
    settings = settings_of(cell)
    wants = recording and (
        x.requires_grad or any(leaf.requires_grad for leaf in states) or settings.learns
    )
    key = (
        x.shape[1:],
        x.dtype,
        x.requires_grad and recording,
        _form(state),
        valid is not None,
        reverse,
        recording,
        wants,
        settings,
        get_executor(),
    )
    known = _COMPILED.setdefault(cell, {})
    found = known.pop(key, None)
    if found is None or not (isinstance(found, str) or found.fits(recording)):
        try:
            found = _compile(cell, x, state, valid, reverse, recording, wants)
        except TraceError as reason:
            found = str(reason)
    known[key] = found  # at the end: the one used last
    while len(known) > _MOST:
        del known[next(iter(known))]
    if isinstance(found, str):
        raise TraceError(found)
    return found


def _compile(
    cell: Cell, x: Tensor, state: Any, valid: Any, reverse: bool, recording: bool, wants: bool
) -> CompiledStep:
    """`recording`: whether gradients may be asked for; `wants`: whether something wants one."""
    step = trace(cell, x._data, state, valid, bool(x.requires_grad and recording), wants)
    if recording and not wants and any(leaf.requires_grad for leaf in step.leaves):
        step = trace(cell, x._data, state, valid, False, True)  # tensors not of the cell
    return CompiledStep(step, reverse)


def compiled_steps(cell: Cell) -> list[CompiledStep]:
    """All that are compiled for this cell, the one used last at the end."""
    found = _COMPILED.get(cell, {}).values()
    return [compiled for compiled in found if not isinstance(compiled, str)]


def _form(state: Any) -> Any:
    """Structure, shapes and dtypes of a state, as a key."""
    if isinstance(state, tuple | list):
        return type(state), *map(_form, state)
    if isinstance(state, dict):
        return tuple((name, _form(part)) for name, part in state.items())
    return None if state is None else (state.shape, state.dtype)
