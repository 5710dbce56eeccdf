"""Running a step over a sequence op by op: every op of every step is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ... import ops
from ...engine.recording.mode import scope
from ...engine.tensor import Tensor
from ..step_function import FlatStep, beside

__all__ = ["stacked", "unrolled", "valid_steps"]


def unrolled(
    step: FlatStep,
    carry: Sequence[Tensor],
    xs: Sequence[Tensor],
    valid: Any,
    steps: Iterable[int],
    ys: dict[int, Sequence[Tensor]],
    first_step: int = 0,
    observed: Any = None,
) -> Sequence[Tensor]:
    """Run these steps of the sequence, in this order; returns the last carry and fills `ys`.

    `observed`: the run that keeps the named values of each step.
    """
    each = list(zip(*(ops.unstack(x) for x in xs), strict=True)) if xs else None
    for t in steps:
        x = [] if each is None else list(each[t])
        if valid is not None and not valid[t].all():
            x.append(Tensor.of(valid[t]))
        with scope(step=first_step + t):
            carry, ys[t] = step(carry, x)
        if observed is not None:
            observed.note(first_step + t)
    return carry


def stacked(ys: dict[int, Sequence[Tensor]]) -> list[Tensor]:
    """Each leaf of the ys with a leading time axis."""
    return [ops.stack(leaf) for leaf in zip(*(ys[t] for t in sorted(ys)), strict=True)]


def valid_steps(xs: Sequence[Tensor], length: int, lengths: Any) -> tuple[Any, Sequence[Tensor]]:
    """Which steps (T, B) are not padding, or None for all; and xs with real inputs in the padding.

    So no NaN in the padding reaches a gradient, and neither does a NaN that a cell would compute
    from zeros, for example by dividing by the norm of the input. The padding repeats each
    sequence's first input (for an empty sequence, that of the longest), without gradient.
    """
    if lengths is None or lengths.min(initial=length) == length:
        return None, xs
    valid = np.arange(length)[:, None] < lengths
    source = np.where(lengths > 0, np.arange(len(lengths)), lengths.argmax())

    def filled(x: Tensor) -> Tensor:
        filling = x.detach()[0, source] if valid.any() else np.zeros((), x.dtype)
        whole: Tensor = ops.where(beside(valid, x), x, filling)
        return whole

    return valid, [filled(x) for x in xs]
