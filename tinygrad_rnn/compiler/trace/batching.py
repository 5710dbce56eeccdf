"""Batching: a step that takes several tangents at once, by the ops' batching rules.

These are the rules that let instructions leave the loop: a rule for a leading time axis works for a
leading axis of directions, too. An instruction outside the loop has both, merged into one axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...engine.primitives.primitive import Primitive
from ...ops.shapes.shape import reshape
from ..ir.instruction import Instruction, inputs_of, structural_key
from ..ir.step import Step

__all__ = ["batched"]

Array = Any


def batched(step: Step, of: Step, size: int) -> Step:
    """The tangent step of `of` for `size` directions: a leading axis on each of its tangents."""
    return _Batching(step, of, size).step()


class _Batching:
    """Gives the tangents of a step a leading axis."""

    def __init__(self, step: Step, of: Step, size: int) -> None:
        self._step, self._of, self._size = step, of, size
        self._new: dict[
            Instruction, Instruction
        ] = {}  # by old instruction: the new one with that axis
        self._made: list[Instruction] = []
        self._primitives: dict[Any, Primitive] = {}

    def step(self) -> Step:
        """The step on several tangents."""
        step, of = self._step, self._of
        mask = len(step.xs) - step.masked
        xs = (*self._inputs(step.xs[:mask], len(of.xs) - of.masked), *step.xs[mask:])
        carry = self._inputs(step.carry, len(of.carry))
        leaves = self._inputs(step.leaves, len(of.leaves))
        for old in step.instructions:
            if any(isinstance(x, Instruction) and x in self._new for x in old.inputs):
                self._new[old] = self._emit(self._several(old), old)
            else:
                self._made.append(old)
        next_carry = self._results(step.next_carry, len(of.carry))
        ys = self._results(step.ys, len(of.ys))
        sums = self._results(step.sums, len(of.sums))
        return replace(
            step,
            xs=xs,
            carry=carry,
            leaves=leaves,
            instructions=tuple(self._made),
            next_carry=next_carry,
            ys=ys,
            sums=sums,
            grad_carry=(),
            grad_ys=(),
            grad_sums=(),
        )

    def _inputs(self, values: Sequence[Instruction], primals: int) -> tuple[Instruction, ...]:
        """The inputs; those after the primals are tangents."""
        for old in values[primals:]:
            sample = np.broadcast_to(old.sample, (self._size, *old.shape))
            self._new[old] = Instruction.input(sample, old.name)
        return tuple(self._new.get(x, x) for x in values)

    def _results(self, values: Sequence[Any], primals: int) -> tuple[Any, ...]:
        return (*values[:primals], *map(self._result, values[primals:]))

    def _result(self, x: Any) -> Any:
        """A requested tangent; one that is the same in all directions is repeated."""
        if isinstance(x, Instruction) and x in self._new:
            return self._new[x]
        zeros = np.zeros((self._size, *x.shape), x.dtype)
        return self._emit(Instruction.of(np.add, zeros, x)) if inputs_of([x]) else zeros + x

    def _emit(self, made: Instruction, old: Instruction | None = None) -> Instruction:
        made = made if old is None else made.called(old.name, old.origin)
        self._made.append(made)
        return made

    def _several(self, old: Instruction) -> Instruction:
        """The instruction on inputs some of which have the axis."""
        moving = tuple(isinstance(x, Instruction) and x in self._new for x in old.inputs)
        inputs = [self._new[x] if m else x for x, m in zip(old.inputs, moving, strict=True)]
        ndims = [np.ndim(x.sample if isinstance(x, Instruction) else x) for x in old.inputs]
        elementwise = old.traits.elementwise and old.traits.pure
        if elementwise or (old.is_product and min(ndims) >= 2):  # they broadcast over leading axes
            most = max(ndims)
            inputs = [
                self._aligned(x, most) if m else x for x, m in zip(inputs, moving, strict=True)
            ]
            return Instruction.of(
                old.primitive, *inputs, attributes=old.attributes, output=old.output
            )
        key = old.primitive, structural_key(old.attributes), moving
        if key not in self._primitives:
            self._primitives[key] = _over_directions(old, moving, self._size)
        return Instruction.of(self._primitives[key], *inputs, output=old.output)

    def _aligned(self, x: Instruction, ndim: int) -> Instruction:
        """x, whose first axis is that of directions, with `ndim` axes after it."""
        missing = ndim + 1 - len(x.shape)
        if not missing:
            return x
        shape = (self._size, *(1 for _ in range(missing)), *x.shape[1:])
        return self._emit(Instruction.of(reshape, x, attributes={"shape": shape}))


def _over_directions(old: Instruction, moving: tuple[bool, ...], size: int) -> Primitive:
    """The primitive of an instruction on inputs some of which have a leading axis of directions."""
    primitive, attributes = old.primitive, old.attributes
    rule = getattr(primitive, "lifted", None)

    def value(*arrays: Array) -> Any:
        if rule is not None:
            return rule(size, moving, *arrays, **attributes)
        each = [
            primitive.value(*(a[k] if m else a for a, m in zip(arrays, moving)), **attributes)
            for k in range(size)
        ]
        if isinstance(each[0], tuple):
            return tuple(np.stack(parts) for parts in zip(*each, strict=True))
        return np.stack(each)

    value.__name__ = old.op_name
    made = Primitive(value)
    if rule is None:
        return made

    @made.lift
    def _(steps: int, timed: tuple[bool, ...], *arrays: Array) -> Any:
        merged = [
            _both_axes(a, steps if t else None, size if m else None, steps, size)
            for a, t, m in zip(arrays, timed, moving, strict=True)
        ]
        has_axis = tuple(t or m for t, m in zip(timed, moving, strict=True))
        results = rule(steps * size, has_axis, *merged, **attributes)
        if isinstance(results, tuple):
            return tuple(r.reshape(steps, size, *r.shape[1:]) for r in results)
        return results.reshape(steps, size, *results.shape[1:])

    return made


def _both_axes(a: Array, time: int | None, direction: int | None, steps: int, size: int) -> Array:
    """The array with one axis for time and direction together, if it has either."""
    if time is None and direction is None:
        return a
    if direction is None:
        a = a[:, None]
    inner = a.shape[2:] if time is not None else a.shape[1:]
    return np.broadcast_to(a, (steps, size, *inner)).reshape(steps * size, *inner)
