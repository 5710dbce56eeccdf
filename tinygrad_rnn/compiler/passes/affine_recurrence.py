"""Affine recurrences: a loop that is only h_t = a_t * h_{t-1} + b_t runs in blocks of time.

Where every carry is scaled and shifted by what the state has no part in, as in a minGRU (Feng et
al. 2024) or a linear recurrent unit, nothing forces the steps to be taken one by one. The
scheduler's affine forms tell which loops are so. Such a loop becomes one instruction a carry,
`recurrence`; everything else in it moves behind the loop, to be computed for all steps at once.

Blocks (as in Blelloch 1990, two levels): all blocks take their first step at once, then their
second, ..., from zero; that tells what each block makes of the state before it. A loop over the
blocks finds these states; then all blocks take their steps again, from the right states. Nothing
is divided by, so that a_t = 0 is like any other; the states inside a block come from the same two
operations as in a loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isqrt
from typing import Any

import numpy as np

from ...ops import where
from ...ops.lifting import aligned
from ..ir.instruction import Instruction
from ..ir.primitives import recurrence
from ..ir.program import Program
from ..ir.rewrite import Substitution
from ..ir.schedule import Schedule
from .affine import Affine, AffineBuilder

__all__ = ["extract_recurrences", "is_linear", "solve"]

Array = Any

# Measured by tests/benchmarks/linear_recurrence.py: in larger states the loop's ufuncs are busy
# with elements rather than with being called, and to look at these twice costs more.
MOST_ELEMENTS = 256
FEWEST_STEPS = 128
CHUNK_ELEMENTS = 1 << 18  # solved at once, so that three copies of them stay in the cache


def extract_recurrences(program: Program) -> Program:
    """Needs schedules. Guarantees that a loop which is affine in its carry, and small enough to
    gain by it, consists of recurrences alone."""
    forward, backward = program.forward, program.backward
    assert forward is not None
    forward, renamed = _recurrences(forward)
    if backward is not None:
        backward, _ = _recurrences(backward.substituted(renamed))
    return replace(program, forward=forward, backward=backward)


def is_linear(schedule: Schedule) -> bool:
    """Whether the loop is one of recurrences alone."""
    return any(value.primitive is recurrence for value in schedule.stages["loop"])


def _recurrences(schedule: Schedule) -> tuple[Schedule, Substitution]:
    """The schedule with a loop of recurrences, if it has one, and what its carries became."""
    unchanged = schedule, Substitution()
    loop = schedule.stages["loop"]
    if not loop or any(c.sample.size > MOST_ELEMENTS for c in schedule.carry_in):
        return unchanged
    builder = AffineBuilder.of(schedule)
    forms = _forms(builder, loop)
    if forms is None:
        return unchanged
    carries = dict(zip(schedule.carry_out, schedule.carry_in, strict=True))
    for new, old in carries.items():
        form = forms[new]
        if form.base is not old or new.shape != old.shape or old.dtype.kind != "f":
            return unchanged
    substitution = Substitution()
    for new, old in carries.items():
        scale = 1.0 if forms[new].scale is None else forms[new].scale
        offset = 0.0 if forms[new].offset is None else forms[new].offset
        recurred = replace(
            new, primitive=recurrence, inputs=(old, scale, offset), attributes={}, output=None
        )
        substitution.add(new, recurred)
    others = [value for value in loop if value not in carries]
    builder.stages["loop"] = [substitution(new) for new in carries]
    builder.stages["after"][:0] = others
    builder.stage_of.update(dict.fromkeys(others, "after"))
    builder.stage_of.update({substitution(new): "loop" for new in carries})
    return builder.schedule().substituted(substitution), substitution


def _forms(builder: AffineBuilder, loop: Sequence[Instruction]) -> dict[Instruction, Affine] | None:
    """Every value of the loop as scale * carry + offset; None if one is not of that form."""
    forms = {carry: Affine(None, carry, None) for carry in builder.carry_in}
    for value in loop:
        builder.origin = value.origin
        operands = [forms.get(x, x) if isinstance(x, Instruction) else x for x in value.inputs]
        form = _form(builder, value, operands)
        if form is None:
            return None
        forms[value] = form
    return forms


def _form(builder: AffineBuilder, value: Instruction, operands: list[Any]) -> Affine | None:
    if value.primitive is np.positive:
        return operands[0] if isinstance(operands[0], Affine) else None
    if value.primitive is where:
        return _chosen(builder, value, operands)
    return builder.folded(value, operands)


def _chosen(builder: AffineBuilder, value: Instruction, operands: list[Any]) -> Affine | None:
    """where(mask, x, y), as a step of a padded sequence ends in, with the state in x or y or both.

    The mask chooses between their scales and between their offsets.
    """
    mask, *sides = operands
    bases = {side.base for side in sides if isinstance(side, Affine)}
    if isinstance(mask, Affine) or len(bases) != 1:
        return None
    (base,) = bases
    if (base.shape, base.dtype) != (value.shape, value.dtype):
        return None

    def choose(parts: Iterator[Any]) -> Instruction:
        inputs = [mask, *(np.asarray(p, base.dtype) if type(p) is float else p for p in parts)]
        return builder.apply(
            where, inputs, "once" if all(map(builder.is_invariant, inputs)) else "before"
        )

    def scale(side: Any) -> Any:
        if not isinstance(side, Affine):
            return 0.0
        return 1.0 if side.scale is None else side.scale

    def offset(side: Any) -> Any:
        if not isinstance(side, Affine):
            return builder.in_dtype(side, base.dtype)
        return 0.0 if side.offset is None else side.offset

    return Affine(choose(map(scale, sides)), base, choose(map(offset, sides)))


def solve(
    time_varying: Sequence[bool],
    reverse: bool,
    before: Array,
    scale: Array,
    offset: Array,
    after: Array,
) -> None:
    """All steps of a recurrence: fill `after` (T, ...) with scale_t * before_t + offset_t.

    `before` (T, ...) is `after` moved by one step, in the same memory; its first is set.
    `time_varying`: whether scale and offset have a leading time axis. `reverse`: the last step is
    the first.
    """
    ndim = after.ndim - 1
    factors, shifts = (
        np.broadcast_to(aligned(x, ndim) if has_time else x, after.shape)
        for x, has_time in zip((scale, offset), time_varying, strict=True)
    )
    arrays = [before, factors, shifts, after]
    if not ndim:  # numbers: as arrays of one element, which can be written to
        arrays = [x[:, None] for x in arrays]
    if reverse:
        arrays = [x[::-1] for x in arrays]
    steps = max(CHUNK_ELEMENTS // max(after[0].size, 1), FEWEST_STEPS)
    for first in range(0, len(after), steps):
        _solve(*(x[first : first + steps] for x in arrays))


def _solve(before: Array, factors: Array, shifts: Array, after: Array) -> None:
    if len(after) >= FEWEST_STEPS:
        length = isqrt(2 * len(after) // 5)  # 5 calls for each place in a block, 2 for each block
        solved = len(after) // length * length
        with np.errstate(all="ignore"):  # what overflows here is computed again, in a loop
            done = _in_blocks(before[0], factors[:solved], shifts[:solved], after[:solved], length)
        if done:
            before, factors, shifts, after = (x[solved:] for x in (before, factors, shifts, after))
    for state, factor, shift, new in zip(before, factors, shifts, after, strict=True):
        np.multiply(state, factor, out=new)
        np.add(new, shift, out=new)


def _in_blocks(first: Array, factors: Array, shifts: Array, after: Array, length: int) -> bool:
    """Blocks of `length` steps; False, and nothing done, if what a block makes overflows."""
    by_place = (len(after) // length, length, *after.shape[1:])
    factors, shifts, after = (x.reshape(by_place).swapaxes(0, 1) for x in (factors, shifts, after))
    factors, shifts = factors.copy(), shifts.copy()  # each place of all blocks side by side
    product, total = factors[0].copy(), shifts[0].copy()
    for factor, shift in zip(factors[1:], shifts[1:], strict=True):
        np.multiply(product, factor, out=product)
        np.multiply(total, factor, out=total)
        np.add(total, shift, out=total)
    if not (np.isfinite(product).all() and np.isfinite(total).all()):
        return False
    states = np.empty_like(product)
    states[0] = first
    for state, factor, shift, new in zip(states, product, total, states[1:]):
        np.multiply(state, factor, out=new)
        np.add(new, shift, out=new)
    for factor, shift in zip(factors, shifts, strict=True):
        np.multiply(states, factor, out=factor)
        states = np.add(factor, shift, out=factor)
    after[...] = factors
    return True
