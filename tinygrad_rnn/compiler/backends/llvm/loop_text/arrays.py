"""LoopArray: a stand-in for an array of a compiled loop, which implements NumPy's protocols.

Each operation on it writes the text of loops over its elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np

from ....ir.instruction import Instruction
from .elementwise import ElementwiseLoop, Offset, nest
from .indexing import Indexed, indexed
from .place import Place
from .pointers import Memory, op_name

__all__ = ["Functions", "LoopArray", "Writer"]

Array = Any
Functions = Mapping[Any, Callable[..., Any]]  # NumPy's, and how each is written on LoopArrays


class Writer:
    """The lines so far, and scratch arrays for intermediate results.

    `functions`: the NumPy functions of the arrays, besides ufuncs and views.
    """

    def __init__(
        self,
        memory: Memory,
        new_name: Callable[[Any], str],
        value: Instruction,
        functions: Functions,
    ) -> None:
        self.lines: list[str] = []
        self.functions = functions
        self._memory, self._new_name, self._value = memory, new_name, value

    def room(self, shape: Sequence[int], dtype: Any) -> LoopArray:
        """A scratch array."""
        return LoopArray(self, *self._memory.scratch(op_name(self._value), shape, dtype))

    def known(self, content: Array) -> LoopArray:
        """An array of known content."""
        return LoopArray(self, *self._memory.room(op_name(self._value), content), known=True)

    def filled(self, shape: Sequence[int], dtype: Any, number: Any) -> LoopArray:
        """An array of one number."""
        out = self.room(shape, dtype)
        self.copy(number, out)
        return out

    def each(self, out: LoopArray, text: str, *others: LoopArray) -> LoopArray:
        """Write a line per element, <0> of `out` and <1>, ... of the others, in memory order."""
        used = [(f"<{k}>", x.place, x.array) for k, x in enumerate((out, *others))]
        shape = np.broadcast_shapes(*(array.shape for _, _, array in used))
        seen = [(mark, place, np.broadcast_to(array, shape)) for mark, place, array in used]
        self.lines += nest(shape, text.split("\n"), seen, self._memory.rows)
        return out

    def elementwise(self, fn: Callable[..., Any], operands: Any) -> LoopArray:
        """`fn` of each element of the operands, in a scratch array."""
        operands = [self.known(x) if isinstance(x, np.ndarray) and x.ndim else x for x in operands]
        shape = np.broadcast_shapes(*(getattr(x, "shape", ()) for x in operands))
        elements = self._pass(shape)
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
        """Write a number, or the elements of an array, to those of another one."""
        self.put(source, target, Indexed(target.array, []))

    def pick(self, source: LoopArray, where: Indexed) -> LoopArray:
        """The elements at computed indices, in a scratch array."""
        elements = self._pass(where.base.shape)
        out = self.room(where.base.shape, source.dtype)
        found = elements.load(source.place, where.base, self._moved(elements, where))
        elements.store(out.place, out.array, found)
        self.lines += elements.lines()
        return out

    def put(self, source: Any, target: LoopArray, where: Indexed, add: bool = False) -> None:
        """Write to elements at computed indices, or add to them, one by one."""
        if isinstance(source, LoopArray) and np.may_share_memory(source.array, target.array):
            source = source.copy()  # all of it is read before any of it is written
        elements = self._pass(where.base.shape)
        if isinstance(source, LoopArray):
            source = elements.load(source.place, source.array)
        moved = self._moved(elements, where)
        if add:
            source = elements.load(target.place, where.base, moved) + source
        elements.store(target.place, where.base, source, moved)
        self.lines += elements.lines()

    def _pass(self, shape: Sequence[int]) -> ElementwiseLoop:
        elements = ElementwiseLoop(tuple(shape), self._new_name, self._memory.rows)
        elements.about = self._value
        return elements

    def _moved(self, elements: ElementwiseLoop, where: Indexed) -> list[Offset]:
        """The offset of an element from the base, by the computed indices."""
        moved = []
        for pick in where.picks:
            place: Any = elements.load(pick.places.place, pick.array).astype(np.int64)
            if not pick.places.known:
                text = self._memory.check(place.text, pick.number, pick.size)
                place = elements.writer.add(text, np.int64)
            elif np.any(pick.array < 0):
                place = np.where(place < 0, place + pick.size, place)
            most = (pick.size - 1) * pick.stride
            moved.append(Offset(f"{place.text} * {pick.stride}", most))
        return moved


class LoopArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of the loop at one step; the addresses of `array` give its elements in `place`.

    `known`: its content is constant and known when the loop is written.
    """

    def __init__(self, writer: Writer, place: Place, array: Array, known: bool = False) -> None:
        self.writer, self.place, self.array, self.known = writer, place, array, known
        self.shape, self.dtype, self.ndim, self.size = (
            array.shape, array.dtype, array.ndim, array.size,
        )  # fmt: skip

    def seen(self, array: Array) -> LoopArray:
        """Another view of the same memory. NotImplementedError if it is not one."""
        if array.size and not np.may_share_memory(array, self.array):
            raise NotImplementedError("elements in an order that memory does not have")
        return LoopArray(self.writer, self.place, array, self.known)

    def _indexed(self, key: Any) -> Indexed:
        parts = key if isinstance(key, tuple) else (key,)
        return indexed(self.array, tuple(x for part in parts for x in self._places(part)))

    def _places(self, part: Any) -> list[Any]:
        """A part of an index; a known mask becomes the indices where it is True."""
        if isinstance(part, np.ndarray | list):
            part = self.writer.known(np.asarray(part))
        if not isinstance(part, LoopArray) or part.dtype.kind in "iu":
            return [part]
        if part.dtype.kind != "b" or not part.known:
            raise NotImplementedError("as many elements as there are flags")
        return [self.writer.known(places) for places in np.nonzero(part.array)]

    def __getitem__(self, key: Any) -> LoopArray:
        found = self._indexed(key)
        return self.writer.pick(self, found) if found.picks else self.seen(found.base)

    def __setitem__(self, key: Any, x: Any) -> None:
        self.writer.put(x, self, self._indexed(key))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("an array without content")

    __array__ = __bool__ = __len__ = __iter__ = _refuse

    def transpose(self, axes: Any) -> LoopArray:
        """The axes in another order."""
        return self.seen(self.array.transpose(axes))

    def reshape(self, *shape: Any) -> LoopArray:
        """Another shape, of a copy if elements have to move."""
        array = self.array.reshape(*shape)
        if not array.size or np.may_share_memory(array, self.array):
            return self.seen(array)
        copied = self.copy()
        return copied.seen(copied.array.reshape(*shape))

    def copy(self) -> LoopArray:
        """The same elements, copied to a scratch array."""
        return self.writer.elementwise(lambda x: x, [self])

    def __getattr__(self, name: str) -> Any:
        """Methods that NumPy also has as functions."""
        function: Any = getattr(np, name, None)
        if function not in self.writer.functions and function not in _VIEWS:
            raise AttributeError(name)
        return partial(function, self)

    def astype(self, dtype: Any) -> LoopArray:
        """The same numbers in another dtype."""
        return self.writer.elementwise(lambda x: x.astype(dtype), [self])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if ufunc is np.add and method == "at":
            target, key, source = inputs
            target.writer.put(source, target, target._indexed(key), add=True)
            return None
        if method != "__call__" or keywords or ufunc.nout != 1 or ufunc.signature is not None:
            return NotImplemented
        return self.writer.elementwise(ufunc, inputs)

    def __array_function__(self, function: Any, types: Any, inputs: Any, keywords: Any) -> Any:
        if function in _VIEWS and inputs[0] is self:
            return self.seen(function(self.array, *inputs[1:], **keywords))
        if function in _FORMS and inputs[0] is self:
            return function(self.array, *inputs[1:], **keywords)
        if function in self.writer.functions:
            return self.writer.functions[function](self.writer, *inputs, **keywords)
        return NotImplemented


_VIEWS = {
    np.squeeze,
    np.expand_dims,
    np.transpose,
    np.swapaxes,
    np.moveaxis,
    np.broadcast_to,
    np.flip,
}
_FORMS = {np.ndim, np.shape, np.size}
