"""Row independence: whether a step gives the same results on some rows as in the whole batch.

A mean over the batch inside a step, a constant for each row, a division by the batch size: with
these, a row's next state depends on the other rows. So the step is tested in two ways. Each
instruction is run again with other content in some rows, and the remaining rows must keep their
bits. And the cell is traced on a few rows alone, which must give the same results as in the whole
batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ...engine.tensor import Tensor
from ..errors import TraceError
from ..ir.instruction import Instruction, native
from ..ir.step import Step, needed_for
from ..step_function import FlatStep
from .differentiation import step_of
from .recording import record
from .step_invariance import Place

__all__ = ["rows_independent"]

Array = Any


def rows_independent(
    function: FlatStep, step: Step, leaves: Sequence[Tensor], numbers: Collection[Place], rows: int
) -> bool:
    """Whether the traced step gives that many rows alone the same values as in the batch.

    Both values and gradients. `leaves`: the tensors that it reads. `numbers`: those that are
    inputs.
    """
    if step.drawn:  # the random numbers of a row depend on the rows before it
        return False
    some = np.arange(step.rows)[::-1][:rows]
    try:
        with np.errstate(all="ignore"):
            part, sources = _traced_on(function, step, some, numbers)
            if len(sources) != len(leaves):
                return False
            if any(s is not t for s, t in zip(sources, leaves) if isinstance(s, Tensor)):
                return False
            arrays = [native(leaf._data) for leaf in leaves]
            return all(
                _each_instruction(step, arrays, given, rows)
                and _as_in_the_whole(step, part, arrays, given, some)
                for given in _contents(step)
            )
    except Exception:  # the step, or one of its ops, rejects fewer rows or such content
        return False


def _traced_on(
    function: FlatStep, step: Step, rows: Array, numbers: Collection[Place]
) -> tuple[Step, list[Any]]:
    carry = [Tensor.of(value.sample[rows]) for value in step.carry]
    given = len(step.xs) - step.observed - step.masked  # followed by taps and a mask
    read = [*step.xs[:given], *step.xs[given + step.observed :]]
    xs = [Tensor.of(value.sample[rows]) for value in read]
    *_, recorded = record(function, carry, xs)
    if recorded.refusal is not None:
        raise TraceError(recorded.refusal)
    differentiated = any(d is not None for d in step.gradients())
    wanted = [differentiated] * len(carry)
    wanted += [d is not None for x, d in zip(step.xs, step.d_xs) if x in read]
    return step_of(recorded, len(carry), step.label, wanted, (), numbers, step.masked)


def _inputs(step: Step) -> list[Instruction]:
    """The inputs that have a row for each of the batch."""
    return [*step.xs, *step.carry, *step.grad_carry, *step.grad_ys]


def _row_results(step: Step) -> list[Any]:
    return [*step.next_carry, *step.ys, *step.d_xs, *step.d_carry]


def _contents(step: Step) -> list[dict[Instruction, Array]]:
    """Two contents for the inputs: near the example, where the cell surely works, and arbitrary."""
    rng = np.random.default_rng(0)

    def near(a: Array) -> Array:
        return a * rng.uniform(0.9, 1.1, a.shape) if a.dtype.kind == "f" else a

    def anything(a: Array) -> Array:
        return rng.standard_normal(a.shape) if a.dtype.kind == "f" else rng.permutation(a)

    return [
        {value: change(value.sample).astype(value.dtype) for value in _inputs(step)}
        for change in (near, anything)
    ]


def _each_instruction(
    step: Step, leaves: Sequence[Array], given: dict[Instruction, Array], rows: int
) -> bool:
    """Whether no instruction combines rows, except for the gradients of the leaves."""
    batch = step.rows
    found, moving = _evaluated(step, leaves, given), set(given)
    for value in needed_for(_row_results(step), step.instructions):
        moves = [x in moving if isinstance(x, Instruction) else False for x in value.inputs]
        if not any(moves):
            continue
        moving.add(value)
        if found[value].shape[:1] != (batch,):
            return False
        inputs = [found[x] if isinstance(x, Instruction) else x for x in value.inputs]
        for kept in (slice(rows), slice(rows, None)):
            changed = [_changed(a, kept) if m else a for a, m in zip(inputs, moves, strict=True)]
            if not _same_bits(value.compute(*changed)[kept], found[value][kept]):
                return False
    return True


def _changed(array: Array, kept: slice) -> Array:
    """Other content in the rows that are not kept."""
    changed = np.flip(array).copy()
    changed[kept] = array[kept]
    return changed


def _same_bits(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _as_in_the_whole(
    step: Step,
    part: Step,
    leaves: Sequence[Array],
    given: dict[Instruction, Array],
    rows: Array,
) -> bool:
    """Whether the step on some rows has the results of these rows.

    The gradients of the leaves equal those of the whole batch if only these rows have any.
    """
    given = dict(given)
    for grad in (*step.grad_carry, *step.grad_ys):
        elsewhere = np.ones(len(given[grad]), bool)
        elsewhere[rows] = False
        given[grad][elsewhere] = 0
    of_part = zip(_inputs(part), _inputs(step), strict=True)
    whole, some = (
        _evaluated(step, leaves, given),
        _evaluated(part, leaves, {mine: given[its][rows] for mine, its in of_part}),
    )
    return all(
        _close(_result(some, a), _result(whole, b)[rows])
        for a, b in _both(_row_results(part), _row_results(step))
    ) and all(
        _close(_result(some, a), _result(whole, b)) for a, b in _both(part.d_leaves, step.d_leaves)
    )


def _both(part: Sequence[Any], whole: Sequence[Any]) -> list[tuple[Any, Any]]:
    pairs = list(zip(part, whole, strict=True))
    if any((a is None) != (b is None) for a, b in pairs):
        raise ValueError("the step on some rows has other gradients")
    return [pair for pair in pairs if pair[0] is not None]


def _close(a: Array, b: Array) -> bool:
    if b.dtype.kind not in "fc":
        return np.array_equal(a, b)
    tolerance = 1e3 * np.finfo(b.dtype).eps * max(np.abs(b).max(initial=0.0, where=b == b), 1e-30)
    return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=tolerance, equal_nan=True)


def _evaluated(
    step: Step, leaves: Sequence[Array], given: dict[Instruction, Array]
) -> dict[Instruction, Array]:
    """Every value of the step for those contents of its inputs."""
    found = dict(given)
    found.update(zip(step.leaves, leaves, strict=True))
    for value in needed_for([*_row_results(step), *step.d_leaves], step.instructions):
        arrays = [found[x] if isinstance(x, Instruction) else x for x in value.inputs]
        found[value] = np.asarray(value.compute(*arrays))
    return found


def _result(found: dict[Instruction, Array], result: Any) -> Array:
    return found[result] if isinstance(result, Instruction) else np.asarray(result)
