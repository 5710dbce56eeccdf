"""Running a cell over a sequence in one of the two ways that give the same numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ... import ops, pytree
from ...compiler.runtime.scan import TraceError, scan
from ...engine.mode import current_mode
from ...engine.tensor import Tensor
from .cell import Cell, is_observed
from .unroll import beside, unroll

__all__ = ["run"]

_notices: set[str] = set()


def run(
    cell: Cell,
    x: Tensor,
    state: Any,
    *,
    reverse: bool = False,
    lengths: Any = None,
    truncate: int | None = None,
    unrolled: bool = False,
    checkpoint: int | str | None = None,
    first_step: int = 0,
) -> tuple[Tensor, Any]:
    """Run `cell` over x (T, B, ...): outputs (T, B, ...) and the last state.

    `truncate=k`: blocks of k steps, between which the state is detached. `first_step`: the number
    of the first step, which pictures and errors count from. `checkpoint`: see `Recurrent`. A scan
    is used unless `unrolled`, or unless every op must be seen (`detect_anomaly`) or the cell looks
    at data, which is said once.
    """
    if truncate is not None and len(x) > truncate:
        return _in_blocks(cell, x, state, reverse, lengths, truncate, unrolled, checkpoint)
    if not (unrolled or is_observed()) and len(x) and current_mode().watch is None:
        try:
            return scan(cell, x, state, reverse=reverse, lengths=lengths, checkpoint=checkpoint)
        except TraceError as reason:
            if not _complex(x, state):  # as gradient checkers use them, who need no advice
                _notify(cell, reason)
    return unroll(cell, x, state, reverse=reverse, lengths=lengths, first_step=first_step)


def _in_blocks(
    cell: Cell,
    x: Tensor,
    state: Any,
    reverse: bool,
    lengths: Any,
    size: int,
    unrolled: bool,
    checkpoint: int | str | None,
) -> tuple[Tensor, Any]:
    """Truncated backpropagation through time (Williams & Peng 1990), in blocks of `size` steps."""
    outputs: list[Tensor] = []
    steps = len(x)
    starts = range(steps - size, -size, -size) if reverse else range(0, steps, size)
    for start in starts:
        first, end = max(start, 0), min(start + size, steps)
        output, state = run(
            cell,
            x[first:end],
            _cut(state, lengths, end if reverse else first) if outputs else state,
            reverse=reverse,
            lengths=None if lengths is None else np.clip(lengths - first, 0, end - first),
            unrolled=unrolled,
            checkpoint=checkpoint,
            first_step=first,
        )
        outputs.append(output)
    return ops.concatenate(outputs[::-1] if reverse else outputs), state


def _cut(state: Any, lengths: Any, at: int) -> Any:
    """The state without its history, but for sequences that have no real step on a side of `at`.

    They are not run there, so it is no place of theirs to cut: a sequence that has ended keeps the
    gradient of its final state, and one that has not begun that of its initial state.
    """
    runs_on = None if lengths is None or (lengths > at).all() else lengths > at

    def cut(leaf: Tensor) -> Tensor:
        if runs_on is None:
            return leaf.detach()
        kept: Tensor = ops.where(beside(runs_on, leaf), leaf.detach(), leaf)
        return kept

    return pytree.map(cut, state)


def _complex(x: Tensor, state: Any) -> bool:
    return any(t.dtype.kind == "c" for t in [x, *pytree.leaves(state)])


def _notify(cell: Cell, reason: TraceError) -> None:
    kind = type(cell).__name__
    if kind not in _notices:
        _notices.add(kind)
        warnings.warn(
            f"{kind} runs step by step, unrolled, because {reason}. With ops instead "
            "(tg.where, tg.rand_like, ...) it would run as a scan; unroll=True says it is meant",
            stacklevel=2,
        )
