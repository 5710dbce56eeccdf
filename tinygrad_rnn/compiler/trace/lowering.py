"""Lowering: from the recorded nodes of a step to its instructions.

Every elementwise op is decomposed into NumPy's ufuncs by running its value on symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...engine.recording.node import Node
from ...engine.recording.scope import Scope
from ..ir.instruction import Instruction
from .shape_only import shape_only_inputs
from .tracers import nodes_behind

__all__ = ["Lowering"]


class Lowering:
    """Makes the instructions of a step.

    Nothing is simplified here. The instructions are the NumPy calls of the step, by name, in the
    dtypes given by NumPy's promotion.
    """

    def __init__(self) -> None:
        self.of: dict[Node, Any] = {}
        self.instructions: list[Instruction] = []
        self._origin: Scope | None = None  # of the node being lowered

    def input(self, node: Node) -> Instruction:
        """The instruction of an input node of the step."""
        made = self.of[node] = Instruction.input(node._data, node.name)
        return made

    def value(self, node: Node) -> Any:
        """The lowered form of a node: an instruction, or an array for a constant."""
        return self.of[node]

    def run(self, results: Sequence[Node]) -> None:
        """Lower these nodes and everything that they depend on."""
        for node in nodes_behind(results):
            if node in self.of:
                continue
            self._origin = node.scope
            if node.op is None:  # a constant, e.g. zeros for an unused output
                self.of[node] = node._data
            elif node.output_index is not None:
                self._select(node)
            elif not isinstance(node._data, tuple):
                self.of[node] = self._lowered(node)

    def _select(self, node: Node) -> None:
        """One of several outputs of an op: an instruction that computes all and selects one."""
        assert node.inputs is not None
        whole = node.inputs[0]
        made = Instruction(
            whole.op,
            tuple(map(self._operand, whole.inputs)),
            whole.attributes,
            node._data,
            node.output_index,
        )
        self.of[node] = self._emit(made, node.name)

    def _operand(self, x: Any) -> Any:
        return self.of[x] if isinstance(x, Node) else x

    def _lowered(self, node: Node) -> Any:
        assert node.op is not None and node.inputs is not None and node.attributes is not None
        operands = [self._operand(x) for x in node.inputs]
        if node.op.traits.elementwise and node.op.traits.pure:
            result = self._as_ufuncs(node, operands)
            if result is not None:
                return result
        if not node.op.traits.pure:
            operands = shape_only_inputs(node.op, operands, node.attributes, node._data)
        made = Instruction(node.op, tuple(operands), node.attributes, node._data)
        return self._emit(made, node.name)

    def _as_ufuncs(self, node: Node, operands: list[Any]) -> Instruction | None:
        """The ufuncs that an elementwise op's value calls; None if it does more than that."""
        assert node.op is not None
        before = len(self.instructions)
        try:
            symbols = [Symbol(self, o) if isinstance(o, Instruction) else o for o in operands]
            result = node.op.value(*symbols, **(node.attributes or {}))
        except Exception:  # an author's op may do anything with a value that is not an array
            result = None
        if not isinstance(result, Symbol) or result.value.dtype != node._data.dtype:
            del self.instructions[before:]
            return None
        found = result.value
        made_here = before < len(self.instructions) and found is self.instructions[-1]
        if node.name is not None and made_here:
            found = self.instructions[-1] = found.called(node.name, None)
        return found

    def _emit(self, instruction: Instruction, name: str | None = None) -> Instruction:
        origin = self._origin
        if origin is None or origin.line is None:  # such as a sum of gradients
            origins = (x.origin for x in instruction.depends_on)
            origin = next((o for o in origins if o is not None and o.line), origin)
        made = instruction.called(name, origin)
        self.instructions.append(made)
        return made

    def ufunc(self, ufunc: np.ufunc, inputs: Sequence[Any]) -> Instruction:
        """A ufunc that an op's own value calls."""
        return self._emit(Instruction.of(ufunc, *inputs))


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A stand-in for an array while an elementwise op's value runs; records the ufuncs it calls."""

    def __init__(self, lowering: Lowering, value: Instruction) -> None:
        self._lowering = lowering
        self.value = value
        self.shape, self.dtype, self.ndim = value.shape, value.dtype, len(value.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs or ufunc.nout != 1:
            return NotImplemented
        operands = [x.value if isinstance(x, Symbol) else x for x in inputs]
        return Symbol(self._lowering, self._lowering.ufunc(ufunc, operands))

    def __bool__(self) -> bool:
        raise NotImplementedError("a branch is not a ufunc")

    def __array_function__(self, function: Callable[..., Any], _: Any, inputs: Any, __: Any) -> Any:
        if function is np.copy:  # a value of a program is never overwritten
            return inputs[0]
        raise NotImplementedError(f"np.{function.__name__} is not a ufunc")
