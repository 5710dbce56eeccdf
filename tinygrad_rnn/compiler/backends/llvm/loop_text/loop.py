"""The loop of a schedule as the text of one function, to be compiled.

All shapes and strides are constants in the text, so the compiler knows the length of every loop. An
array is an address: of its elements at a step if it has elements for each step, otherwise of its
only copy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....ir.instruction import Instruction, structural_key
from ....ir.schedule import Schedule
from ....memory.allocation import Arrays
from ..machine_code.matmul import PANEL
from .array_functions import array_lines
from .elementwise import ElementwiseLoop, nest
from .expressions import CannotCompile, Expression, type_name
from .place import address_of, strides_of
from .pointers import Memory
from .rows import DependentRows, Rows
from .vertical_fusion import FusedLoop, fused_loops, read_from_memory

__all__ = ["LoopText"]

Array = Any
_SHARE = ("first", "last", "tall", "short")


class LoopText:
    """The `text` of a function `loop(steps, table)`.

    `table` holds the addresses of `places`, in order. If threads share the `rows` of a batch, there
    are two functions: `prepare`, run by one thread first, and `loop`, for the rows from `first` to
    `last`, which are `tall` and `short` tiles of a product.
    """

    def __init__(
        self, schedule: Schedule, trial: Arrays, reverse: bool, rows: int | None = None
    ) -> None:
        self._schedule, self._reverse = schedule, reverse
        self._names: dict[str, int] = {}
        self.rows, self._rows = rows, None if rows is None else Rows(rows)
        self._memory = Memory(schedule, trial, self._new_name, self._rows)
        found = fused_loops(schedule, trial)
        self._in_memory = read_from_memory(schedule, found)
        lines = [line for one in found for line in self._written(one)]
        self._memory.keep(re.findall(r"\w+", "\n".join([*lines, *self._memory.prepared])))
        self.places, self.wrong = self._memory.places, self._memory.wrong
        self.checks = self._memory.checks
        self.text = "\n".join(
            [
                "@function",
                f"def step({', '.join([*(p.name for p in self.places), *self._share()])}):",
                *("    " + line for line in lines or ["pass"]),
                *self._loop(),
                "",
            ]
        )

    def _written(self, one: FusedLoop) -> list[str]:
        try:
            return self._text_of(one)
        except (CannotCompile, DependentRows) as reason:
            reason.value = reason.value or one.instructions[0]
            raise

    def _text_of(self, one: FusedLoop) -> list[str]:
        head = one.instructions[0]
        if one.shape is not None:
            return self._elementwise(one.instructions, one.shape)
        if head.is_product:
            return self._product(head)
        if head.traits.places is not None:
            return self._concatenation(head)
        return array_lines(head, self._memory, self._new_name)

    def _elementwise(
        self, instructions: Sequence[Instruction], shape: tuple[int, ...]
    ) -> list[str]:
        elements = ElementwiseLoop(shape, self._new_name, self._rows)
        known: dict[Any, Expression] = {}  # by value or structural_key of a constant

        def operand(x: Any) -> Any:
            if isinstance(x, np.ndarray) and x.ndim == 0:
                return x[()]
            if not isinstance(x, Instruction | np.ndarray):
                return x
            key = x if isinstance(x, Instruction) else structural_key(x)
            if key not in known:
                elements.about = x if isinstance(x, Instruction) else "constant"
                known[key] = elements.load(*self._memory[x])
            return known[key]

        for value in instructions:
            operands = [operand(x) for x in value.inputs]
            elements.about = value
            known[value] = self._element(value, operands, elements)
            if value in self._in_memory:
                elements.store(*self._memory[value], known[value])
        return elements.lines()

    def _element(
        self, value: Instruction, operands: Sequence[Any], elements: ElementwiseLoop
    ) -> Expression:
        try:
            result = value.compute(*operands)
        except (TypeError, NotImplementedError, AttributeError) as reason:
            raise CannotCompile(f"the op {value.op_name}", value) from reason
        if isinstance(result, np.ndarray) and result.dtype == object and not result.ndim:
            result = result.item()  # np.array of an expression
        if isinstance(result, Expression) and result.dtype == value.dtype:
            return result
        return elements.writer.add(elements.writer.text(result, value.dtype), value.dtype)

    def _product(self, value: Instruction) -> list[str]:
        x, y = value.inputs
        a, b, out = (self._memory[v][1] for v in (x, y, value))
        matrices = all(v.ndim == 2 and v.size and v.dtype == value.dtype for v in (a, b, out))
        if value.dtype.kind != "f" or strides_of(out)[-1:] != [1]:
            return self._product_by_elements(value)
        if not matrices:
            return self._batched_product(value)
        width = PANEL // out.itemsize
        right, (row_y, column_y), panel = self._memory.start(y), strides_of(b), width
        if not self._schedule.time_varying(y):
            right = self._memory.packed(y, width).name
            row_y, panel = width, width * b.shape[0]
        elif column_y != 1:
            return self._product_by_elements(value)
        steps = (*strides_of(a), row_y, strides_of(out)[0], panel)
        sizes = map(str, (*a.shape, b.shape[1]))
        texts = [self._memory.start(x), right, self._memory.start(value), *sizes]
        return [f"product({', '.join(texts)}, {steps}{self._shared_rows(value, axis=0)})"]

    def _batched_product(self, value: Instruction) -> list[str]:
        """A product of batches of matrices, or of one matrix with each: a loop over products."""
        arrays = [self._memory[v][1] for v in (*value.inputs, value)]
        if any(v.ndim < 2 or not v.size or v.dtype != value.dtype for v in arrays):
            return self._product_by_elements(value)
        batch = arrays[2].shape[:-2]
        x, y, out = (
            strides_of(np.broadcast_to(array, (*batch, *array.shape[-2:]))) for array in arrays
        )
        if y[-1] != 1:
            return self._product_by_elements(value)
        axes = [f"batch_{k}" for k in range(len(batch))]
        starts = [
            " + ".join([self._memory.start(v), *(f"{k} * {n}" for k, n in zip(axes, strides) if n)])
            for v, strides in zip((*value.inputs, value), (x, y, out))
        ]
        rows, inner = arrays[0].shape[-2:]
        steps = (*x[-2:], y[-2], out[-2], PANEL // arrays[2].itemsize)
        sizes = f"{rows}, {inner}, {arrays[1].shape[-1]}"
        shared = self._batch_of(value)
        share = "" if shared in range(len(batch)) else self._shared_rows(value, axis=len(batch))
        lines = [
            "    " * k + f"for {axis} in range({'first, last' if k == shared else size}):"
            for k, (axis, size) in enumerate(zip(axes, batch, strict=True))
        ]
        call = f"product({', '.join(starts)}, {sizes}, {steps}{share})"
        return [*lines, "    " * len(batch) + call]

    def _batch_of(self, value: Instruction) -> int | None:
        """The axis of a product's loop nest that threads share, if they share the loop."""
        return None if self._rows is None else self._rows.axis(*self._product_nest(value))

    def _shared_rows(self, value: Instruction, axis: int) -> str:
        """The argument that gives a product its rows, if threads share them."""
        if self._rows is None:
            return ""
        if self._batch_of(value) != axis:
            raise DependentRows
        return f", ({', '.join(name for name in _SHARE if name != 'last')})"

    def _product_by_elements(self, value: Instruction) -> list[str]:
        """Any product that NumPy supports, one multiplication at a time."""
        shape, seen = self._product_nest(value)
        mark, place, total = seen[2]
        kind, first = type_name(value.dtype), total[..., :1]
        return [
            *nest(first.shape, [f"<2> = {kind}(0)"], [(mark, place, first)], self._rows),
            *nest(shape, [f"<2> = add_up(<2>, {kind}(<0>) * {kind}(<1>))"], seen, self._rows),
        ]

    def _product_nest(self, value: Instruction) -> tuple[tuple[int, ...], list[Any]]:
        """The loop nest of a product: over batches, rows, columns and the axis that is summed."""
        x, y = (self._memory[v][1] for v in value.inputs)
        out = self._memory[value][1]
        if x.ndim == 1:
            x, out = x[None, :], out[..., None, :] if y.ndim > 1 else out[..., None]
        if y.ndim == 1:
            y, out = y[:, None], out[..., None]
        x, y, total = x[..., :, None, :], np.swapaxes(y, -1, -2)[..., None, :, :], out[..., None]
        shape = np.broadcast_shapes(x.shape, y.shape, total.shape)
        seen = [
            (f"<{k}>", self._memory[v][0], np.broadcast_to(array, shape))
            for k, (v, array) in enumerate(zip((*value.inputs, value), (x, y, total), strict=True))
        ]
        return shape, seen

    def _concatenation(self, value: Instruction) -> list[str]:
        """A concatenation: inputs that were not computed in place are copied."""
        place, mine = self._memory[value]
        examples = [x.sample if isinstance(x, Instruction) else np.asarray(x) for x in value.inputs]
        assert value.traits.places is not None
        parts = value.traits.places(mine, *examples, **value.attributes)
        lines: list[str] = []
        for x, part in zip(value.inputs, parts, strict=True):
            there, array = self._memory[x]
            if (address_of(array), array.strides) == (address_of(part), part.strides):
                continue
            used = [("<0>", place, part), ("<1>", there, np.broadcast_to(array, part.shape))]
            lines += nest(part.shape, [f"<0> = {type_name(part.dtype)}(<1>)"], used, self._rows)
        return lines

    def _loop(self) -> list[str]:
        arguments = ", ".join(["steps", "table", *self._share()])
        lines = ["", "", f"def loop({arguments}):"]
        now = []
        for k, place in enumerate(self.places):
            lines.append(f'    {place.name} = address(table[{k}], "{type_name(place.dtype)}")')
            stride = place.stride // place.dtype.itemsize * (-1 if self._reverse else 1)
            now.append(f"{place.name} + t * {stride}" if stride else place.name)
        prepared = ["    " + line for line in self._memory.prepared]
        if self._rows is None:
            lines += prepared
        else:
            lines = ["", "", f"def prepare({arguments}):", *lines[3:], *prepared, *lines]
        now += self._share()
        return [*lines, "    for t in range(steps):", f"        step({', '.join(now)})"]

    def _share(self) -> Sequence[str]:
        """The arguments that give a function its rows."""
        return () if self._rows is None else _SHARE

    def _new_name(self, of: Any, ending: str = "") -> str:
        """A new name: the author's name for the value, or the name of its op."""
        base = of.name or of.op_name if isinstance(of, Instruction) else of
        base = base if isinstance(base, str) else "constant"
        base = "".join(c if c.isalnum() and c.isascii() else "_" for c in base)
        base = (base if base[:1].isalpha() else f"v_{base}") + ending
        self._names[base] = self._names.get(base, -1) + 1
        return f"{base}_{self._names[base]}"
