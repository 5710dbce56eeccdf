"""Recovery: one step of a cell is traced, and its ops become expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import pytree
from ...compiler.trace.calls import detached
from ...compiler.trace.recording import Record, record
from ...compiler.trace.tracers import graph_of, nodes_behind
from ...engine.recording.node import Node
from ...engine.tensor import Tensor
from ...nn.recurrent.cell import Cell
from ...nn.recurrent.run import sequence
from ...ops import astype
from .expression import Expression, Expressions

__all__ = ["TracedStep", "traced_step"]


@dataclass(frozen=True, eq=False)
class TracedStep:
    """The next state and the output of one step as expressions.

    `state`: the leaves of the state before the step; `next_state`, `outputs`: the leaves after it.
    `nodes`: the author's values in order: an expression, its name, the line, and the number of the
    call's output. `refusal`: why other steps may have other equations, or None.
    """

    inputs: dict[str, Expression]
    state: tuple[Expression, ...]
    next_state: tuple[Expression, ...]
    outputs: tuple[Expression, ...]
    written: tuple[Written, ...]
    refusal: str | None


@dataclass(frozen=True)
class Written:
    """A value in the author's code: its name if it was `named`, and its line `file.py:12`."""

    expression: Expression
    name: str | None
    line: str | None
    output: int | None
    is_last: bool  # in its statement: nothing else in the same statement uses it


def traced_step(
    cell: Cell,
    x: Tensor,
    state: Any,
    inputs: Mapping[str, Tensor],
    constants: Mapping[str, Tensor],
) -> TracedStep:
    """Trace one step on x and `inputs`, (1, B, ...), the state and `constants`, (B, ...)."""
    scan = sequence(cell, x, state, inputs, constants)
    _, _, made = record(scan.step, scan.carry, scan.at(0), scan.function.files)
    return _Recovery(cell, made, scan.step.carries, sorted(inputs), constants).step()


class _Recovery:
    def __init__(
        self,
        cell: Cell,
        made: Record,
        carries: int,
        inputs: Sequence[str],
        constants: Mapping[str, Tensor],
    ) -> None:
        self.made = made
        self.expressions = Expressions()
        self.of: dict[Node, Expression] = {}
        self.graph, sources = graph_of(made, carries, "", [False] * len(made.inputs))
        named = (*cell.named_parameters(), *cell.named_buffers())
        names = {id(t): name for name, t in reversed(named)}
        rows = {id(t): name for name, t in constants.items()}
        leaf = self.expressions.leaf
        for k, node in enumerate(self.graph.carry):
            self.of[node] = leaf(node, "state", str(k), node._data, rows=True)
        self.inputs = _input_names(len(self.graph.xs), inputs)
        for name, node in zip(self.inputs, self.graph.xs, strict=True):
            self.of[node] = leaf(node, "input", name, node._data, rows=True)
        for node, source in zip(self.graph.leaves, sources, strict=True):
            if id(source) in rows:
                made_of = leaf(node, "input", rows[id(source)], node._data, rows=True)
            else:
                name = names.get(id(source)) or node.name or "constant"
                made_of = leaf(
                    node, "parameter" if id(source) in names else "constant", name, node._data
                )
            self.of[node] = made_of

    def step(self) -> TracedStep:
        graph = self.graph
        nodes = nodes_behind(graph.results)
        for node in nodes:
            if node not in self.of and not isinstance(node._data, tuple):
                self.of[node] = self._expression(node)
                if node.name is not None:
                    self.expressions.kept.add(id(self.of[node]))
        given = [self.of[x] for x in graph.xs]
        return TracedStep(
            inputs=dict(zip(self.inputs, given, strict=True))
            | {e.leaf.name: e for e in self.of.values() if e.leaf and e.leaf.kind == "input"},
            state=tuple(self.of[x] for x in graph.carry),
            next_state=tuple(self.of[x] for x in graph.next_carry),
            outputs=tuple(self.of[x] for x in graph.ys),
            written=tuple(self._written(nodes)),
            refusal=self.made.refusal,
        )

    def _expression(self, node: Node) -> Expression:
        """The expression of a node, from those of its inputs."""
        if node.op is None:
            return self._constant(node._data)
        whole = node
        if node.output_index is not None:  # one of several outputs of an op
            assert node.inputs is not None
            whole = node.inputs[0]
        op, attributes = whole.op, dict(whole.attributes or {})
        assert op is not None and whole.inputs is not None
        inputs = [self.of[x] if isinstance(x, Node) else self._constant(x) for x in whole.inputs]
        if not op.traits.pure:
            return self.expressions.leaf(node, "drawn", op.name, node._data, rows=True)
        if op.traits.copies or op is detached or _is_cast(op, inputs, node):
            return inputs[0]
        if op.traits.section is not None and len(inputs) == 1:
            shape = inputs[0].sample.shape
            section = op.traits.section(shape, node.output_index, **attributes)
            if section is not None:
                return self.expressions.part(inputs[0], section)
        if op.traits.elementwise:
            inputs = [self._if_everywhere_equal(x) for x in inputs]
        return self.expressions.apply(op, inputs, attributes, node.output_index, node._data)

    def _constant(self, x: Any) -> Expression:
        if np.ndim(x):
            return self.expressions.leaf(x, "constant", "constant", x)
        return self.expressions.number(x)

    def _if_everywhere_equal(self, x: Expression) -> Expression:
        """An array whose elements are all equal, as a factor or a term, becomes one number."""
        is_constant = x.leaf is not None and x.leaf.kind == "constant" and x.leaf.name == "constant"
        if is_constant and x.sample.size and (x.sample == x.sample.flat[0]).all():
            return self.expressions.number(x.sample.flat[0])
        return x

    def _written(self, nodes: Sequence[Node]) -> list[Written]:
        goes_on: set[tuple[int, str | None]] = set()
        for node in nodes:
            line = _line(node)
            for x in node.inputs or ():
                if isinstance(x, Node) and node.output_index is None:
                    goes_on.add((id(x), line))
        return [
            Written(
                self.of[node],
                node.name,
                _line(node),
                node.output_index,
                (id(node), _line(node)) not in goes_on,
            )
            for node in nodes
            if node.op is not None and node in self.of
        ]


def _line(node: Node) -> str | None:
    if node.scope is None and node.output_index is not None and node.inputs:
        return _line(node.inputs[0])
    return None if node.scope is None else node.scope.line


def _is_cast(op: Any, inputs: Sequence[Expression], node: Node) -> bool:
    return op is astype and node._data.dtype.kind == "f" and bool(inputs)


def _input_names(count: int, further: Sequence[str]) -> list[str]:
    """Names of the leaves of x_t and of the further inputs, which follow them."""
    own = count - len(further)
    return [*(["x"] if own == 1 else [f"x_{k + 1}" for k in range(own)]), *further]


def first_leaves(tree: Any) -> list[Any]:
    """The leaves of a pytree."""
    return [np.asarray(getattr(leaf, "_data", leaf)) for leaf in pytree.leaves(tree)]
