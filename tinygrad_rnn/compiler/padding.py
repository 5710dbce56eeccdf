"""Padded sequences: divided into time segments, each on the rows that have not ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.tensor import Tensor
from .compilation import compiled_without_running
from .runtime.ragged import Span
from .runtime.segment import Loop, Segment
from .runtime.segments import Part, Segments
from .sequence import Scan
from .specialization import Refusal, Specialization
from .trace.row_independence import rows_independent

__all__ = ["divided"]


def divided(sequence: Scan, of: Specialization, leaves: Any) -> Segments | None:
    """Segments on the rows that have not ended; None if one segment on all rows is better."""
    steps, batch = sequence.length, len(sequence.lengths)
    if any(np.shape(value)[:1] != (batch,) for value in of.observed.samples):
        return None  # an observed value may have no rows

    def independent(rows: int) -> bool:
        program = of.compiled.step
        return rows_independent(sequence.step, program, leaves, of.numbers, rows)

    spans = of.compiled.spans(independent, sequence.lengths, steps)
    if spans[0].covers(steps, batch):
        return None
    parts = []
    for span in spans:
        found = _part(sequence, span)
        if found is None or found[0].dtypes != of.dtypes:
            return None
        each, its_leaves, valid = found
        length = span.last - span.first
        loop = Loop(each.compiled, valid, sequence.reverse, length, sequence.checkpoint)
        parts.append(Part(span, Segment(loop, its_leaves)))
    parts = parts[::-1] if sequence.reverse else parts
    xs = len(sequence.xs) + of.compiled.step.observed
    return Segments(parts, leaves, xs, steps, batch)


def _part(sequence: Scan, span: Span) -> tuple[Specialization, list[Tensor], Any] | None:
    """The specialization for that many rows; it does not depend on which rows they are."""
    valid = sequence.valid[span.first : span.last][:, span.rows]
    some = slice(span.size)

    def cut(tensor: Tensor, *where: slice) -> Tensor:
        part = Tensor.of(tensor._data[where])
        part.requires_grad = tensor.requires_grad
        return part

    part = object.__new__(Scan)
    part.__dict__.update(vars(sequence))
    part.carry = [cut(leaf, some) for leaf in sequence.carry]
    part.xs = [cut(x, slice(span.first, span.last), some) for x in sequence.xs]
    part.valid = None if valid.all() else valid
    part.length = span.last - span.first
    found, binding = compiled_without_running(part)
    if isinstance(found, Refusal) or binding is None:
        return None
    return found, found.leaves(binding), part.valid
