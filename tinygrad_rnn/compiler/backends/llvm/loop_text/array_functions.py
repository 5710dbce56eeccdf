"""Ops on whole arrays inside a compiled loop: their NumPy expressions, run on arrays of the loop.

The value of an op that is not elementwise runs on `LoopArray`s. This file implements NumPy's
functions for them; reductions have their own file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .....ops.shapes.joining import _parts_of_concatenated, _parts_of_stacked
from ....ir.instruction import Instruction
from .arrays import Functions, LoopArray, Writer
from .expressions import CannotCompile
from .pointers import Memory
from .reductions import REDUCTIONS
from .rows import DependentRows

__all__ = ["array_lines"]


def array_lines(value: Instruction, memory: Memory, new_name: Callable[[Any], str]) -> list[str]:
    """The text of one instruction. `CannotCompile` if it has no compiled form."""
    if not value.traits.pure:
        raise CannotCompile(f"the op {value.op_name}")
    writer = Writer(memory, new_name, value, _FUNCTIONS)
    operands = [
        LoopArray(writer, *memory[x], known=not isinstance(x, Instruction))
        if isinstance(x, Instruction) or np.ndim(x)
        else x
        for x in value.inputs
    ]
    try:
        result = value.compute(*operands)
    except DependentRows:
        raise
    except (
        Exception
    ) as reason:  # an author's op may do anything with a value that is not a NumPy array
        raise CannotCompile(f"the op {value.op_name}") from reason
    if not isinstance(result, LoopArray) or result.shape != value.shape:
        raise CannotCompile(f"the op {value.op_name}")
    writer.copy(result, LoopArray(writer, *memory[value]))
    return writer.lines


def _like(number: Any) -> Callable[..., LoopArray]:
    """An array of one number, in the shape of another array."""

    def make(writer: Writer, x: LoopArray, **keywords: Any) -> LoopArray:
        form = np.zeros_like(x.array, **keywords)
        return writer.filled(form.shape, form.dtype, number)

    return make


def _pad(writer: Writer, x: LoopArray, widths: Any, constant_values: Any = 0) -> LoopArray:
    whole = np.pad(x.array, widths, constant_values=constant_values).shape
    out = writer.filled(whole, x.dtype, constant_values)
    inside = (slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))
    writer.copy(x, out.seen(out.array[tuple(inside)]))
    return out


def _take(writer: Writer, x: LoopArray, places: Any, axis: int | None = None) -> LoopArray:
    if axis is None:
        return x.reshape(-1)[places]
    return x[(*(slice(None),) * (axis % x.ndim), places)]


def _along(x: LoopArray, places: LoopArray, axis: int) -> tuple[Any, ...]:
    """The index that takes one place along an axis for each place along the others."""
    key: list[Any] = [*np.ix_(*map(np.arange, x.shape))]
    key[axis] = places
    return tuple(key)


def _put_along(writer: Writer, x: LoopArray, places: LoopArray, values: Any, axis: int) -> None:
    x[_along(x, places, axis)] = values


def _rolled(writer: Writer, x: LoopArray, shift: int, axis: int) -> LoopArray:
    n = x.shape[axis]
    return _take(writer, x, (np.arange(n) - shift) % n, axis)


def _side_by_side(function: Any, parts: Any) -> Callable[..., LoopArray]:
    def join(writer: Writer, arrays: Sequence[LoopArray], axis: int = 0) -> LoopArray:
        form = function([np.zeros(x.shape, x.dtype) for x in arrays], axis=axis)
        out = writer.room(form.shape, form.dtype)
        for x, part in zip(arrays, parts(out.array, *arrays, axis=axis), strict=True):
            writer.copy(x, out.seen(part))
        return out

    return join


_FUNCTIONS: Functions = {
    **REDUCTIONS,
    np.reshape: lambda writer, x, *shape, **keywords: x.reshape(
        np.reshape(x.array, *shape, **keywords).shape
    ),
    np.where: lambda writer, *inputs: writer.elementwise(np.where, inputs),
    np.copy: lambda writer, x: x.copy(),
    np.zeros_like: _like(0),
    np.ones_like: _like(1),
    np.pad: _pad,
    np.take: _take,
    np.take_along_axis: lambda writer, x, places, axis: x[_along(x, places, axis)],
    np.put_along_axis: _put_along,
    np.roll: _rolled,
    np.concatenate: _side_by_side(np.concatenate, _parts_of_concatenated),
    np.stack: _side_by_side(np.stack, _parts_of_stacked),
}
