"""Ops on whole arrays inside a compiled loop: their NumPy expressions, run on arrays of the loop.

An op that is not elementwise is asked what it computes, as everywhere: its value runs on
`LoopArray`s, which answer NumPy's protocols with the text of loops over their elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..emit import is_pure
from ..trace import Value
from .elements import Elements, nest
from .memory import Memory, Place, op_name
from .terms import CannotCompile, type_name

__all__ = ["array_lines"]

Array = Any

_VIEWS = {
    np.squeeze,
    np.expand_dims,
    np.transpose,
    np.swapaxes,
    np.moveaxis,
    np.broadcast_to,
    np.flip,
}
_REDUCTIONS = {  # the first value, and how the next element joins it
    np.sum: (0.0, "add_up({}, {})"),
    np.mean: (0.0, "add_up({}, {})"),
    np.max: (-math.inf, "maximum({}, {})"),
    np.min: (math.inf, "minimum({}, {})"),
}


def array_lines(value: Value, memory: Memory, new_name: Callable[[Any], str]) -> list[str]:
    """The text of one instruction. `CannotCompile` if it does what loops have no words for."""
    if not is_pure(value):
        raise CannotCompile(f"the op {op_name(value)}")
    writer = _Writer(memory, new_name, value)
    operands = [
        LoopArray(writer, *memory[x]) if isinstance(x, Value) or np.ndim(x) else x
        for x in value.inputs
    ]
    try:
        result = value.compute(*operands)
    except Exception as reason:  # whatever an op of a user's does with what is no NumPy array
        raise CannotCompile(f"the op {op_name(value)}") from reason
    if not isinstance(result, LoopArray) or result.shape != value.shape:
        raise CannotCompile(f"the op {op_name(value)}")
    writer.copy(result, LoopArray(writer, *memory[value]))
    return writer.lines


class _Writer:
    """The lines so far, and room for what comes between."""

    def __init__(self, memory: Memory, new_name: Callable[[Any], str], value: Value) -> None:
        self.lines: list[str] = []
        self._memory, self._new_name, self._value = memory, new_name, value

    def room(self, shape: tuple[int, ...], dtype: Any) -> LoopArray:
        return LoopArray(self, *self._memory.room(op_name(self._value), shape, dtype))

    def elementwise(self, fn: Callable[..., Any], operands: Any) -> LoopArray:
        """`fn` of each element of the operands, in a room of its own."""
        shape = np.broadcast_shapes(*(getattr(x, "shape", ()) for x in operands))
        elements = Elements(shape, self._new_name)
        elements.about = self._value
        loaded = [
            elements.load(x.place, x.array) if isinstance(x, LoopArray) else x for x in operands
        ]
        result = fn(*loaded)
        if result is NotImplemented:
            raise NotImplementedError
        out = self.room(shape, result.dtype)
        elements.store(out.place, out.array, result)
        self.lines += elements.lines()
        return out

    def copy(self, source: Any, target: LoopArray) -> None:
        elements = Elements(target.shape, self._new_name)
        elements.about = self._value
        if isinstance(source, LoopArray):
            source = elements.load(source.place, source.array)
        elements.store(target.place, target.array, source)
        self.lines += elements.lines()

    def reduced(
        self,
        function: Any,
        x: LoopArray,
        axis: Any = None,
        keepdims: bool = False,
        initial: Any = None,
    ) -> LoopArray:
        if x.dtype.kind != "f":
            raise NotImplementedError("a reduction of whole numbers")
        first, form = _REDUCTIONS[function]
        nothing = np.broadcast_to(np.zeros((), x.dtype), x.shape)  # for the shapes alone
        kept = np.sum(nothing, axis=axis, keepdims=True).shape
        out = self.room(kept, x.dtype)
        kind = type_name(x.dtype)
        text = f"{kind}({float(first if initial is None else initial)!r})".replace("inf", "np.inf")
        whole = np.broadcast_to(out.array, x.shape)
        total = ("<0>", out.place, whole)
        self.lines += nest(kept, [f"<0> = {text}"], [("<0>", out.place, out.array)])
        self.lines += nest(
            x.shape, [f"<0> = {form.format('<0>', '<1>')}"], [total, ("<1>", x.place, x.array)]
        )
        if function is np.mean:
            count = x.array.size // max(out.array.size, 1)
            self.lines += nest(
                kept, [f"<0> = <0> / {kind}({float(count)!r})"], [("<0>", out.place, out.array)]
            )
        shape = np.sum(nothing, axis=axis, keepdims=keepdims).shape
        return out.seen(out.array.reshape(shape))


class LoopArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of the loop, at one step: `array` shows where its elements are in `place`."""

    def __init__(self, writer: _Writer, place: Place, array: Array) -> None:
        self._writer, self.place, self.array = writer, place, array
        self.shape, self.dtype, self.ndim, self.size = (
            array.shape, array.dtype, array.ndim, array.size,
        )  # fmt: skip

    def seen(self, array: Array) -> LoopArray:
        """Other elements of the same place. NotImplementedError if they are none."""
        if not np.may_share_memory(array, self.array):
            raise NotImplementedError("elements in an order that memory does not have")
        return LoopArray(self._writer, self.place, array)

    def __getitem__(self, key: Any) -> LoopArray:
        return self.seen(self.array[key])

    def __setitem__(self, key: Any, x: Any) -> None:
        self._writer.copy(x, self[key])

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise NotImplementedError("an array without content")

    def __bool__(self) -> bool:
        raise NotImplementedError("a branch")

    def transpose(self, axes: Any) -> LoopArray:
        """The axes in another order."""
        return self.seen(self.array.transpose(axes))

    def astype(self, dtype: Any) -> LoopArray:
        """The same numbers in another dtype."""
        return self._writer.elementwise(lambda x: x.astype(dtype), [self])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__" or keywords or ufunc.nout != 1 or ufunc.signature is not None:
            return NotImplemented
        return self._writer.elementwise(ufunc, inputs)

    def __array_function__(self, function: Any, types: Any, inputs: Any, keywords: Any) -> Any:
        if function in _REDUCTIONS:
            return self._writer.reduced(function, *inputs, **keywords)
        if function is np.reshape:  # of a copy, where elements have to move
            shape = function(self.array, *inputs[1:], **keywords).shape
            if np.may_share_memory(self.array.reshape(shape), self.array):
                return self.seen(self.array.reshape(shape))
            copied = self._writer.elementwise(lambda x: x, [self])
            return copied.seen(copied.array.reshape(shape))
        if function in _VIEWS and inputs[0] is self:
            return self.seen(function(self.array, *inputs[1:], **keywords))
        if function is np.where and len(inputs) == 3:
            return self._writer.elementwise(np.where, inputs)
        if function is np.copy:
            return self._writer.elementwise(lambda x: x, inputs)
        if function is np.zeros_like:
            zeros = self._writer.room(np.zeros_like(self.array, **keywords).shape, self.dtype)
            kind = type_name(self.dtype)
            used = [("<0>", zeros.place, zeros.array)]
            self._writer.lines += nest(zeros.shape, [f"<0> = {kind}(0)"], used)
            return zeros
        return NotImplemented
