"""Running a cell over a sequence: a scan of its step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ... import ops, pytree
from ...compiler.execution import run as run_scan
from ...compiler.execution import scans_are_taken
from ...compiler.sequence import Scan
from ...compiler.step_function import StepFunction, beside
from ...engine.tensor import Tensor
from .cell import Cell, is_observed

__all__ = ["run", "sequence", "step_function"]

_NONE: Mapping[str, Any] = {}


def run(
    cell: Cell,
    x: Any,
    state: Any,
    inputs: Mapping[str, Any] = _NONE,
    constants: Mapping[str, Any] = _NONE,
    *,
    reverse: bool = False,
    lengths: Any = None,
    truncate: int | None = None,
    unrolled: bool = False,
    checkpoint: int | str | None = None,
    executor: str | None = None,
    first_step: int = 0,
) -> tuple[Any, Any]:
    """Run `cell` over x (T, B, ...): outputs (T, B, ...) and the last state.

    `inputs`: further inputs of each step, (T, B, ...), by name. `constants`: those that are the
    same at every step, (B, ...). `truncate=k`: blocks of k steps, between which the state is
    detached. `first_step`: the number of the first step, which pictures and errors count from.
    `checkpoint`, `executor`: see `Recurrent`. It runs compiled unless it is `unrolled`, every op
    must be seen (`detect_anomaly`), or the cell cannot be compiled; a warning says so once.
    """
    steps = len(x if isinstance(x, Tensor) else pytree.leaves(x)[0])
    if truncate is not None and steps > truncate and not scans_are_taken():
        args = cell, x, state, inputs, constants
        options = {"unrolled": unrolled, "checkpoint": checkpoint, "executor": executor}
        return _in_blocks(*args, reverse, lengths, truncate, steps, options)
    scanned = sequence(
        cell,
        x,
        state,
        inputs,
        constants,
        reverse=reverse,
        lengths=lengths,
        checkpoint=checkpoint,
        first_step=first_step,
        executor=executor,
        truncate=truncate,
    )
    # Gradient checkers use these and need no advice.
    complex_numbers = "c" in [t._data.dtype.kind for t in (*scanned.xs, *scanned.carry)]
    final, outputs = run_scan(scanned, unroll=unrolled or is_observed() or complex_numbers)
    return outputs, final


def sequence(
    cell: Cell,
    x: Any,
    state: Any,
    inputs: Mapping[str, Any] = _NONE,
    constants: Mapping[str, Any] = _NONE,
    **options: Any,
) -> Scan:
    """The scan of a cell over x, not run yet; `options` as for `Scan`."""
    steps = len(x if isinstance(x, Tensor) else pytree.leaves(x)[0])
    if not inputs and not constants:
        return Scan(step_function(cell), state, x, steps, **options)
    xs = (x, dict(inputs))
    return Scan(
        _function(cell, _step_with_inputs(cell, dict(constants))), state, xs, steps, **options
    )


def step_function(cell: Cell) -> StepFunction:
    """A cell's step in the form that a scan takes; its compiled programs belong to the cell."""
    return _function(cell, _step_of(cell))


def _function(cell: Cell, step: Callable[[Any, Any], tuple[Any, Any]]) -> StepFunction:
    return StepFunction(
        step,
        name=type(cell).__name__,
        owner=cell,
        kind=type(cell),
        files=partial(_files_of, type(cell)),
        checked=True,
        path=cell._name or type(cell).__name__,
    )


def _step_of(cell: Cell) -> Callable[[Any, Any], tuple[Any, Any]]:
    def step(state: Any, x: Any) -> tuple[Any, Any]:
        output, new = cell.advance(x, state)
        return new, output

    return step


def _step_with_inputs(
    cell: Cell, constants: dict[str, Any]
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """`constants` are captured from outside, so they are not split into steps."""

    def step(state: Any, xs: Any) -> tuple[Any, Any]:
        x, inputs = xs
        output, new = cell.advance(x, state, **inputs, **constants)
        return new, output

    return step


def _files_of(kind: type[Cell]) -> frozenset[str]:
    """The files that the cell is written in, if some belong to this package."""
    kinds = [base for base in kind.__mro__ if issubclass(base, Cell) and base is not Cell]
    modules = [sys.modules.get(base.__module__) for base in kinds]
    return frozenset(filter(None, (getattr(module, "__file__", None) for module in modules)))


def _in_blocks(
    cell: Cell,
    x: Any,
    state: Any,
    inputs: Mapping[str, Any],
    constants: Mapping[str, Any],
    reverse: bool,
    lengths: Any,
    size: int,
    steps: int,
    options: dict[str, Any],
) -> tuple[Any, Any]:
    """Truncated backpropagation through time (Williams & Peng 1990), in blocks of `size` steps."""
    outputs: list[Any] = []
    starts = range(steps - size, -size, -size) if reverse else range(0, steps, size)
    for start in starts:
        first, end = max(start, 0), min(start + size, steps)
        block = pytree.map(lambda leaf, first=first, end=end: leaf[first:end], (x, dict(inputs)))
        output, state = run(
            cell,
            block[0],
            _cut(state, lengths, end if reverse else first) if outputs else state,
            block[1],
            constants,
            reverse=reverse,
            lengths=None if lengths is None else np.clip(lengths - first, 0, end - first),
            first_step=first,
            **options,
        )
        outputs.append(output)
    in_order = outputs[::-1] if reverse else outputs
    return pytree.map(lambda *blocks: ops.concatenate(blocks), *in_order), state


def _cut(state: Any, lengths: Any, at: int) -> Any:
    """The state, detached except for sequences with no real step on one side of `at`.

    Those do not run there, so there is nothing to cut: a sequence that has ended keeps the gradient
    of its final state, and one that has not begun keeps that of its initial state.
    """
    runs_on = None if lengths is None or (lengths > at).all() else lengths > at

    def cut(leaf: Tensor) -> Tensor:
        if runs_on is None:
            return leaf.detach()
        kept: Tensor = ops.where(beside(runs_on, leaf), leaf.detach(), leaf)
        return kept

    return pytree.map(cut, state)
