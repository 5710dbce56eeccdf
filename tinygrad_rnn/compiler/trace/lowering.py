"""Lowering: from the recorded nodes of a step to its instructions.

Every elementwise op is decomposed into NumPy's ufuncs, by running its value on symbols. Equal
computations become one, and transposes go where there are fewer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...engine.node import Node
from ...engine.scope import Scope
from ...engine.tensor import Tensor
from ...ops import matmul
from ...ops.shape import _permute as transposed
from ..ir.instruction import Instruction, structural_key
from .shape_only import shape_only_inputs

__all__ = ["Lowering", "nodes_behind"]


def nodes_behind(outputs: Sequence[Node]) -> list[Node]:
    """All nodes behind the outputs, inputs first."""
    found: dict[int, Node] = {}
    waiting = list(outputs)
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting.extend(x for x in node.inputs or () if isinstance(x, Node))
    return [found[number] for number in sorted(found)]


class Lowering:
    """Makes the values of a step, and finds its `leaves`: the tensors that it reads besides."""

    def __init__(self, made_inside: Callable[[Node], bool]) -> None:
        self._made_inside = made_inside  # whether a leaf is of the step itself, so a constant
        self.of: dict[Node, Any] = {}
        self.leaves: list[Tensor] = []
        self._scope: Scope | None = None  # of the node that is being decomposed
        self._known: dict[Any, Instruction] = {}

    def input(self, node: Node) -> Instruction:
        """The value of a node that the step is given."""
        made = self.of[node] = Instruction(None, (), {}, node._data, node.name)
        return made

    def value(self, node: Node) -> Any:
        """What a node became: a value, or an array for a constant."""
        return self.of[node]

    def run(self, results: Sequence[Node]) -> None:
        """Make the values of these nodes and of all that they come from."""
        for node in nodes_behind(results):
            if node in self.of:
                continue
            self._scope = node.scope
            if node.op is None:
                self._leaf(node)
            elif node.output_index is not None:
                self._select(node)
            elif not isinstance(node._data, tuple):
                self.of[node] = self._apply(node)

    def _leaf(self, node: Node) -> None:
        if self._made_inside(node):  # e.g. zeros for an unused output
            self.of[node] = node._data
            return
        assert isinstance(node, Tensor)
        self.input(node)
        self.leaves.append(node)

    def _select(self, node: Node) -> None:
        """One output of an op of several: as an op of its own, which computes all and picks one."""
        assert node.inputs is not None and node.attributes is not None
        whole = node.inputs[0]
        self.of[node] = self._instruction(
            whole.op,
            [self._operand(x) for x in whole.inputs],
            {**whole.attributes, "output": node.output_index},
            node._data,
            node,
        )

    def _operand(self, x: Any) -> Any:
        return self.of[x] if isinstance(x, Node) else x

    def _apply(self, node: Node) -> Any:
        assert node.op is not None and node.inputs is not None and node.attributes is not None
        operands = [self._operand(x) for x in node.inputs]
        if node.op is transposed and isinstance(operands[0], Instruction):
            return self._transpose(operands[0], node.attributes["axes"], node)
        if node.op.elementwise and node.op.pure:
            try:
                symbols = [Symbol(self, o) if isinstance(o, Instruction) else o for o in operands]
                result = node.op.value(*symbols, **node.attributes)
            except Exception:  # the op does more than ufuncs: it stays as it is
                result = None
            if isinstance(result, Symbol) and result.value.dtype == node._data.dtype:
                if node.name is not None:
                    result.value.name = node.name
                return result.value
        if not node.op.pure:
            operands = shape_only_inputs(node.op, operands, node.attributes, node._data)
        return self._instruction(node.op, operands, node.attributes, node._data, node)

    def _transpose(self, x: Instruction, axes: tuple[int, ...], node: Node) -> Instruction:
        """x with its axes in another order: two such are one or none, and (A B^T)^T is B A^T."""
        if x.primitive is transposed:
            before = x.inputs[0]
            axes = tuple(x.attributes["axes"][axis] for axis in axes)
            straight = axes == tuple(range(-len(axes), 0))
            return before if straight else self._transpose(before, axes, node)
        matrices = x.primitive is matmul and all(
            isinstance(f, Instruction) and len(f.shape) == 2 for f in x.inputs
        )
        if matrices and axes == (-1, -2) and any(f.primitive is transposed for f in x.inputs):
            factors = [self._transpose(f, axes, node) for f in reversed(x.inputs)]
            return self._instruction(matmul, factors, {}, x.example.T, node)
        return self._instruction(transposed, [x], {"axes": axes}, x.example.transpose(axes), node)

    def _instruction(
        self, fn: Any, inputs: Sequence[Any], attributes: Any, example: Any, node: Node | None
    ) -> Instruction:
        key = (fn, structural_key(inputs), structural_key(attributes))
        pure = getattr(fn, "pure", True)
        if not pure or key not in self._known:
            made = Instruction(fn, tuple(inputs), attributes, example, scope=self._scope)
            if node is not None:
                made.name = node.name
            if made.scope is None or made.scope.line is None:  # such as a sum of gradients
                scopes = (x.scope for x in inputs if isinstance(x, Instruction))
                made.scope = next((s for s in scopes if s is not None and s.line), made.scope)
            if not pure:
                return made
            self._known[key] = made
        return self._known[key]

    def ufunc(self, fn: Any, inputs: Sequence[Any]) -> Instruction:
        """The value of a ufunc that an op's own value calls."""
        examples = [x.example if isinstance(x, Instruction) else x for x in inputs]
        with np.errstate(all="ignore"):
            example = np.asarray(fn(*examples))
        return self._instruction(fn, inputs, {}, example, None)


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for an array while an elementwise op's value runs; records the ufuncs it calls."""

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
        if function is np.copy:  # a value of a program is never written over
            return inputs[0]
        raise NotImplementedError(f"np.{function.__name__} is not a ufunc")
