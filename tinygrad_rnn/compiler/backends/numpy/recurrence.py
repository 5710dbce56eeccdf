"""Carries whose steps are all computed at once: affine recurrences in blocks, sample and hold.

Blocks (as in Blelloch 1990, two levels): starting from zero, all blocks take their first step at
once, then their second, and so on. This gives the affine map of each block. A loop over the blocks
finds the states between them. Then all blocks take their steps again, from the right states. There
is no division, so a_t = 0 needs no special case. The states inside a block come from the same
operations as in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any

import numpy as np

from ....ops.shapes.lifting import aligned
from ...ir.primitives import Recurrence, hold, recurrence

__all__ = ["FEWEST_STEPS", "SOLVERS", "solve"]

Array = Any

# Measured by tests/benchmarks/linear_recurrence.py.
FEWEST_STEPS = 128
CHUNK_ELEMENTS = 1 << 18  # solved at once, so that three copies of them stay in the cache


def solve(time_varying: Sequence[bool], reverse: bool, *arrays: Array) -> None:
    """All steps of a `recurrence`: fill each `after` (T, ...) with A_t before_t + b_t.

    `arrays`: of n carries the values before, n x n scales, n offsets, and the values after. A
    `before` (T, ...) is its `after` shifted by one step, in the same memory; its first value is
    set. `time_varying`: which of all but the last have a leading time axis. `reverse`: the last
    step is the first.
    """
    n = len(Recurrence.of(*time_varying).carries)
    befores, operands, afters = arrays[:n], arrays[n:-n], arrays[-n:]
    operands = tuple(
        _at_each_step(x, has_time, afters[0])
        for x, has_time in zip(operands, time_varying[n:], strict=True)
    )
    if n > 1:
        _solve_coupled(reverse, befores, operands, afters)
    else:
        both = [befores[0], *operands, afters[0]]
        if both[0].ndim == 1:  # numbers: as arrays of one element, which can be written to
            both = [x[:, None] for x in both]
        _solve(np.multiply, reverse, *both)


def _solve_coupled(
    reverse: bool, befores: Sequence[Array], operands: Sequence[Array], afters: Sequence[Array]
) -> None:
    """Carries that are shifted by each other, element by element: stacked along a last axis."""
    n, like = len(afters), afters[0]
    scales = np.stack(operands[: n * n], axis=-1).reshape(*like.shape, n, n)
    offsets = np.stack(operands[n * n :], axis=-1)
    whole = np.empty((len(like) + 1, *like.shape[1:], n), like.dtype)
    before, after = (whole[1:], whole[:-1]) if reverse else (whole[:-1], whole[1:])
    first = -1 if reverse else 0
    for k, given in enumerate(befores):
        before[first, ..., k] = given[first]
    _solve(_product, reverse, before, scales, offsets, after)
    for k, wanted in enumerate(afters):
        wanted[...] = after[..., k]


def sample_and_hold(time_varying: Sequence[bool], reverse: bool, *arrays: Array) -> None:
    """All steps of a `hold`: fill `after` with the last x that was selected, or the first state.

    `arrays`: before, selected, x, after.
    """
    before, chosen, x, after = arrays
    order = slice(None, None, -1 if reverse else 1)
    chosen, x = (
        _at_each_step(a, has_time, after)[order]
        for a, has_time in zip((chosen, x), time_varying[1:], strict=True)
    )
    behind = (1,) * (after.ndim - 1)
    last = np.where(chosen, np.arange(1, len(after) + 1).reshape(-1, *behind), 0)
    np.maximum.accumulate(last, axis=0, out=last)  # the number of the step of the last selection
    found = np.take_along_axis(x, np.maximum(last - 1, 0), axis=0)
    after[order] = np.where(last, found, before[order][0])


SOLVERS = {recurrence: solve, hold: sample_and_hold}
"""The functions that compute carries for all steps, by primitive."""


def _at_each_step(x: Array, has_time: bool, like: Array) -> Array:
    x = aligned(x, like.ndim - 1) if has_time else np.asarray(x)
    return np.broadcast_to(x.astype(like.dtype, copy=False), like.shape)


def _product(state: Array, factor: Array, out: Array | None) -> Array:
    """Matrices times vectors, in the last axes."""
    return np.einsum("...ij,...j->...i", factor, state, out=out)


def _solve(
    times: Callable[..., Any], reverse: bool,
    before: Array, factors: Array, shifts: Array, after: Array,
) -> None:  # fmt: skip
    arrays = [before, factors, shifts, after]
    if reverse:
        arrays = [x[::-1] for x in arrays]
    steps = max(CHUNK_ELEMENTS // max(after[0].size, 1), FEWEST_STEPS)
    for first in range(0, len(after), steps):
        _solve_chunk(times, *(x[first : first + steps] for x in arrays))


def _solve_chunk(
    times: Callable[..., Any], before: Array, factors: Array, shifts: Array, after: Array
) -> None:
    if len(after) >= FEWEST_STEPS:
        length = isqrt(2 * len(after) // 5)  # 5 calls for each place in a block, 2 for each block
        solved = len(after) // length * length
        with np.errstate(all="ignore"):  # if something overflows here, a loop computes it again
            done = _in_blocks(
                times, before[0], factors[:solved], shifts[:solved], after[:solved], length
            )
        if done:
            before, factors, shifts, after = (x[solved:] for x in (before, factors, shifts, after))
    for state, factor, shift, new in zip(before, factors, shifts, after, strict=True):
        times(state, factor, out=new)
        np.add(new, shift, out=new)


def _in_blocks(
    times: Callable[..., Any],
    first: Array, factors: Array, shifts: Array, after: Array, length: int,
) -> bool:  # fmt: skip
    """Blocks of `length` steps; False, and nothing done, if the map of a block overflows."""
    blocks = len(after) // length
    factors, shifts, after = (
        x.reshape(blocks, length, *x.shape[1:]).swapaxes(0, 1) for x in (factors, shifts, after)
    )
    factors, shifts = factors.copy(), shifts.copy()  # each place of all blocks side by side
    coupled = factors.ndim > shifts.ndim
    product, total = factors[0].copy(), shifts[0].copy()
    for factor, shift in zip(factors[1:], shifts[1:], strict=True):
        if coupled:
            product = np.einsum("...ij,...jk->...ik", factor, product)
        else:
            np.multiply(product, factor, out=product)
        total = times(total, factor, out=None if coupled else total)
        np.add(total, shift, out=total)
    if not (np.isfinite(product).all() and np.isfinite(total).all()):
        return False
    states = np.empty_like(total)
    states[0] = first
    for state, factor, shift, new in zip(states, product, total, states[1:]):
        times(state, factor, out=new)
        np.add(new, shift, out=new)
    for factor, shift in zip(factors, shifts, strict=True):
        states = np.add(times(states, factor, out=None if coupled else factor), shift, out=shift)
    after[...] = shifts
    return True
