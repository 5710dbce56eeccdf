"""The loop of a schedule as the text of one function, to be compiled.

All shapes and strides are numbers in the text, so the compiler knows how long every loop is. An
array is an address: of its elements at a step if it has some for each step, else of the one copy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ir.instruction import Instruction, structural_key
from ...ir.schedule import Schedule
from ...memory.allocation import Arrays
from .array_functions import array_lines
from .elementwise import ElementwiseLoop, nest
from .expressions import CannotCompile, Expression, type_name
from .matmul import PANEL
from .pointers import Memory, address_of, strides_of
from .vertical_fusion import FusedLoop, fused_loops, read_from_memory

__all__ = ["LoopText"]

Array = Any


class LoopText:
    """The `text` of a function `loop(steps, table)`.

    `table` holds the addresses of `places`, in their order.
    """

    def __init__(self, schedule: Schedule, trial: Arrays, reverse: bool) -> None:
        self._schedule, self._reverse = schedule, reverse
        self._names: dict[str, int] = {}
        self._memory = Memory(schedule, trial, self._new_name)
        found = fused_loops(schedule, trial)
        self._in_memory = read_from_memory(schedule, found)
        lines = [line for one in found for line in self._written(one)]
        self._memory.keep(re.findall(r"\w+", "\n".join([*lines, *self._memory.prepared])))
        self.places, self.wrong = self._memory.places, self._memory.wrong
        self.checks = self._memory.checks
        self.text = "\n".join(
            [
                "@function",
                f"def step({', '.join(place.name for place in self.places)}):",
                *("    " + line for line in lines or ["pass"]),
                *self._loop(),
                "",
            ]
        )

    def _written(self, one: FusedLoop) -> list[str]:
        try:
            return self._text_of(one)
        except CannotCompile as reason:
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
        elements = ElementwiseLoop(shape, self._new_name)
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
        return [f"product({', '.join(texts)}, {steps})"]

    def _batched_product(self, value: Instruction) -> list[str]:
        """A product of two batches of matrices: a loop over products of matrices."""
        arrays = [self._memory[v][1] for v in (*value.inputs, value)]
        alike = all(v.ndim == 3 and v.size and v.dtype == value.dtype for v in arrays)
        x, y, out = (strides_of(v) for v in arrays)
        if not alike or len({v.shape[0] for v in arrays}) > 1 or y[2] != 1:
            return self._product_by_elements(value)
        starts = [
            f"{self._memory.start(v)} + batch * {strides[0]}"
            for v, strides in zip((*value.inputs, value), (x, y, out))
        ]
        batch, rows, inner = arrays[0].shape
        steps = (*x[1:], y[1], out[1], PANEL // arrays[2].itemsize)
        sizes = f"{rows}, {inner}, {arrays[1].shape[2]}"
        call = f"product({', '.join(starts)}, {sizes}, {steps})"
        return [f"for batch in range({batch}):", f"    {call}"]

    def _product_by_elements(self, value: Instruction) -> list[str]:
        """Any product that NumPy knows, one multiplication after the other."""
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
        kind = type_name(value.dtype)
        return [
            *nest(total.shape, [f"<2> = {kind}(0)"], [("<2>", seen[2][1], total)]),
            *nest(shape, [f"<2> = add_up(<2>, {kind}(<0>) * {kind}(<1>))"], seen),
        ]

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
            lines += nest(part.shape, [f"<0> = {type_name(part.dtype)}(<1>)"], used)
        return lines

    def _loop(self) -> list[str]:
        lines = ["", "", "def loop(steps, table):"]
        now = []
        for k, place in enumerate(self.places):
            lines.append(f'    {place.name} = address(table[{k}], "{type_name(place.dtype)}")')
            stride = place.stride // place.dtype.itemsize * (-1 if self._reverse else 1)
            now.append(f"{place.name} + t * {stride}" if stride else place.name)
        lines += ["    " + line for line in self._memory.prepared]
        return [*lines, "    for t in range(steps):", f"        step({', '.join(now)})"]

    def _new_name(self, of: Any, ending: str = "") -> str:
        """A new name: what the author called the value, or the name asked for."""
        base = of.name or of.op_name if isinstance(of, Instruction) else of
        base = base if isinstance(base, str) else "constant"
        base = "".join(c if c.isalnum() and c.isascii() else "_" for c in base)
        base = (base if base[:1].isalpha() else f"v_{base}") + ending
        self._names[base] = self._names.get(base, -1) + 1
        return f"{base}_{self._names[base]}"
