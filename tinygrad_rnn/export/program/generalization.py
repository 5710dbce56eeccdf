"""Generalization: one program from recordings of one call at several sizes of its inputs.

Whatever is equal in all recordings is kept. A number or a shape that differs becomes a `Size`. If
no `Size` fits, the size is baked into the model; the error names the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from ...compiler.ir.instruction import Instruction
from ...compiler.ir.step import Step
from ...engine.op import op
from ...engine.recording.scope import Scope
from ...ops import broadcast_to, expand_dims
from ..errors import ExportError, at
from .dtypes import operand_dtypes
from .loop import Loop
from .sizes import Size, fitted

__all__ = ["dimension", "generalized", "iota"]


@op(differentiable=False)
def dimension(*, size: Any, dtype: Any) -> Any:
    """A size, as a number to compute with."""
    return np.asarray(size, dtype)


@op(differentiable=False)
def iota(*, start: Any, step: Any, count: Any, dtype: Any) -> Any:
    """`start + step * arange(count)`."""
    return (start + step * np.arange(count)).astype(dtype)


def generalized(steps: Sequence[Step], sizes: Sequence[Mapping[str, int]]) -> Step:
    """One program for all of these recordings, each made at its sizes."""
    return _Merge(sizes).step(steps)


class _Merge:
    def __init__(self, sizes: Sequence[Mapping[str, int]]) -> None:
        self._sizes = sizes
        self._new: dict[
            Instruction, Any
        ] = {}  # for each instruction of the first recording, its replacement
        self._place: list[dict[Instruction, int]] = [{} for _ in sizes]
        self._instructions: list[Instruction] = []
        self._calls: dict[Any, Any] = {}  # operands and attributes, for all outputs of an op

    def step(self, steps: Sequence[Step]) -> Step:
        first = steps[0]
        self._given(steps)
        for same in zip(*(step.instructions for step in steps)):
            self._add(same)
        counts = {len(step.instructions) for step in steps}
        if len(counts) > 1:
            last = first.instructions[-1] if first.instructions else None
            self._differs(last.origin if last else None, "the number of ops depends on it")
        results = [
            self._operand(values, None, None)
            for values in zip(*(step.forward_results() for step in steps), strict=True)
        ]
        carries = len(first.next_carry)
        return replace(
            first,
            instructions=tuple(self._instructions),
            next_carry=tuple(results[:carries]),
            ys=tuple(results[carries:]),
            drawn=(),
        )

    def _given(self, steps: Sequence[Step]) -> None:
        for place, step in zip(self._place, steps):
            for instruction in (*step.xs, *step.carry, *step.leaves, *step.instructions):
                place[instruction] = len(place)
        first = steps[0]
        self._new = {x: x for x in (*first.xs, *first.carry, *first.leaves)}

    def _add(self, same: Sequence[Instruction]) -> None:
        first = same[0]
        if len({(x.op_name, len(x.inputs), x.output) for x in same}) > 1:
            self._differs(first.origin, "which ops are applied depends on it")
        call = (id(first.attributes), *map(id, first.inputs))
        if call not in self._calls:
            self._calls[call] = self._merged(same)
        inputs, attributes = self._calls[call]
        made = replace(first.with_inputs(inputs), attributes=attributes)
        self._new[first] = made
        self._instructions.append(made)

    def _merged(self, same: Sequence[Instruction]) -> tuple[list[Any], dict[str, Any]]:
        """The operands and the attributes that generalize those of all recordings."""
        first = same[0]
        kinds = operand_dtypes(first)
        inputs = [
            self._operand(values, first.origin, kind)
            for values, kind in zip(zip(*(x.inputs for x in same), strict=True), kinds)
        ]
        attributes = {
            name: self._attribute([x.attributes[name] for x in same], first)
            for name in first.attributes
        }
        return inputs, attributes

    def _operand(self, values: Sequence[Any], origin: Scope | None, kind: Any) -> Any:
        first = values[0]
        if isinstance(first, Instruction):
            places = {
                place.get(x, -1) if isinstance(x, Instruction) else -2
                for place, x in zip(self._place, values)
            }
            if len(places) > 1:
                self._differs(origin, "which values it reads depends on it")
            return self._new[first]
        if any(isinstance(x, Instruction) for x in values):
            self._differs(origin, "which values it reads depends on it")
        arrays = [np.asarray(x) for x in values]
        if all(np.array_equal(a, arrays[0], equal_nan=a.dtype.kind == "f") for a in arrays):
            return first
        dtype = kind or arrays[0].dtype
        if not arrays[0].ndim:
            found = fitted([a.item() for a in arrays], self._sizes)
            if found is None:
                self._differs(origin, f"the number {first} depends on it")
            return self._emit(dimension, (), {"size": found, "dtype": dtype}, arrays[0], origin)
        return self._array(arrays, origin)

    def _array(self, arrays: Sequence[Any], origin: Scope | None) -> Any:
        """An array whose shape depends on sizes: repeated along an axis, or evenly spaced."""
        shapes = [a.shape for a in arrays]
        found = [fitted(each, self._sizes) for each in zip(*shapes)]
        if len({len(shape) for shape in shapes}) > 1 or None in found:
            self._differs(origin, f"an array of shape {shapes[0]} is made for it")
        sized = [k for k, size in enumerate(found) if isinstance(size, Size)]
        repeats = [k for k in sized if all(_repeats(a, k) for a in arrays)]
        small = [a[tuple(slice(0, 1) if k in repeats else slice(None) for k in range(a.ndim))]
                 for a in arrays]  # fmt: skip
        rest = [k for k in sized if k not in repeats]
        whole: Any = small[0]
        if any(a.shape != small[0].shape or not np.array_equal(a, small[0]) for a in small):
            whole = self._spaced(small, rest, found, origin)
        attributes = {"shape": tuple(found)}
        return self._emit(broadcast_to, (whole,), attributes, arrays[0], origin)

    def _spaced(
        self, arrays: Sequence[Any], axes: Sequence[int], shape: Sequence[Any], origin: Any
    ) -> Any:
        first = arrays[0]
        flat = [a.reshape(-1) for a in arrays]
        if len(axes) == 1 and all(a.size == a.shape[axes[0]] for a in arrays):
            start, steps = flat[0][0], flat[0][1] - flat[0][0]
            even = [start + steps * np.arange(a.size) for a in flat]
            if all(np.array_equal(a, b) for a, b in zip(flat, even)):
                attributes = {
                    "start": start.item(),
                    "step": steps.item(),
                    "count": shape[axes[0]],
                    "dtype": first.dtype,
                }
                line = self._emit(iota, (), attributes, flat[0], origin)
                if first.ndim == 1:
                    return line
                around = tuple(k - first.ndim for k in range(first.ndim) if k != axes[0])
                return self._emit(expand_dims, (line,), {"axis": around}, first, origin)
        self._differs(origin, f"the content of an array of shape {first.shape} depends on it")

    def _emit(self, primitive: Any, inputs: Any, attributes: Any, sample: Any, origin: Any) -> Any:
        made = Instruction(primitive, inputs, attributes, np.asarray(sample), None, None, origin)
        self._instructions.append(made)
        return made

    def _attribute(self, values: Sequence[Any], of: Instruction) -> Any:
        first = values[0]
        if isinstance(first, Loop):
            return replace(
                first,
                step=_Merge(self._sizes).step([value.step for value in values]),
                length=self._attribute([value.length for value in values], of),
            )
        if type(first) in (tuple, list):
            if len({len(value) for value in values}) == 1:
                return type(first)(self._attribute(part, of) for part in zip(*values))
        elif isinstance(first, slice):
            parts = zip(*((x.start, x.stop, x.step) for x in values))
            return slice(*(self._attribute(part, of) for part in parts))
        elif type(first) in (int, float) and all(type(x) in (int, float) for x in values):
            found = fitted(values, self._sizes)
            if found is not None:
                return found
        elif isinstance(first, np.ndarray):
            if all(np.array_equal(value, first) for value in values):
                return first
        elif all(value is first or value == first for value in values):
            return first
        self._differs(of.origin, f"an argument of {of.op_name}, {first!r:.40}, depends on it")

    def _differs(self, origin: Scope | None, how: str) -> NoReturn:
        names = " or ".join(self._sizes[0])
        raise ExportError(
            f"the size of {names} is baked into the model{at(origin)}: {how}. Compute it from the "
            "shapes of the inputs, or name the axes that may change with axes="
        )


def _repeats(array: Any, axis: int) -> bool:
    return bool((array == np.take(array, [0], axis)).all())
