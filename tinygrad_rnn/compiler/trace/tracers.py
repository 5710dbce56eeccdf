"""Tracers: a recorded step as a graph whose values represent those of any step.

Each node of a `StepGraph` holds its value in the recorded step, as an example of shape and dtype.
The ops' gradient rules run on such nodes, and their ops are recorded, too. So a graph can be
differentiated, and the result is again a graph.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from ...engine.dtypes import is_floating
from ...engine.primitives.primitive import Primitive
from ...engine.recording.mode import current_mode
from ...engine.recording.node import Node
from ...engine.recording.scope import Scope, callers_line
from ...engine.tensor import Tensor
from ..errors import TraceError
from ..ir.instruction import Origin, native
from .calls import detached
from .recording import Input, Record, Result
from .step_invariance import Place

__all__ = ["GradientRules", "StepGraph", "Tracer", "copied", "graph_of", "nodes_behind", "traced"]


class Tracer(Tensor):
    """A value of the step: an example, whose elements no gradient rule may read."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TraceError(f"data-dependent access in a gradient rule, at {callers_line()}")

    __bool__ = __float__ = __int__ = __index__ = __array__ = __setitem__ = _update = _refuse
    item = tolist = numpy = register_hook = retain_grad = backward = _refuse
    data = property(_refuse)

    def detach(self) -> Tensor:
        """The same value without a gradient."""
        stopped: Tensor = detached(self)
        return stopped


class GradientRules:
    """An observer that keeps everything that gradient rules compute, even without requires_grad."""

    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        """Keep the history of a node."""
        node.op, node.inputs, node.attributes = op, tuple(inputs), attributes
        node.values = [getattr(x, "_data", x) for x in inputs]
        now = current_mode().scope or Scope()
        node.scope = now if now.line else Origin(now.path, now.step, None, op.name)
        if isinstance(node, Tensor):
            node.__class__ = Tracer

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Nothing to do: the result of a rule was already kept."""


@dataclass(frozen=True, eq=False)
class StepGraph:
    """A step as a graph: its inputs, its results, and the random numbers that it draws.

    `leaves`: the inputs that are the same at every step. `sums`: results that are summed over time.
    `masked`: whether the last of the xs is a mask of the rows that have not ended. `observed`: how
    many of the last ys are observed values; an equal number of the last xs before the mask are
    taps, which nothing reads, for the gradients that reach these values.
    """

    label: str
    xs: tuple[Node, ...]
    masked: bool
    carry: tuple[Node, ...]
    leaves: tuple[Node, ...]
    next_carry: tuple[Node, ...]
    ys: tuple[Node, ...]
    sums: tuple[Node, ...] = ()
    drawn: tuple[Node, ...] = ()
    constants: tuple[Any, ...] = ()
    observed: int = 0

    @property
    def inputs(self) -> tuple[Node, ...]:
        """All inputs, in the order of the scan node's inputs."""
        return (*self.unmasked, *self.carry, *self.leaves)

    @property
    def unmasked(self) -> tuple[Node, ...]:
        """The xs without the mask."""
        return self.xs[: len(self.xs) - self.masked]

    @property
    def targets(self) -> tuple[Node, ...]:
        """The nodes that get gradients: the inputs, each tap replaced by its observed value."""
        xs, ys = len(self.unmasked) - self.observed, len(self.ys) - self.observed
        return (*self.unmasked[:xs], *self.ys[ys:], *self.carry, *self.leaves)

    @property
    def mask(self) -> tuple[Node, ...]:
        """The mask, if there is one."""
        return self.xs[len(self.xs) - self.masked :]

    @property
    def results(self) -> tuple[Node, ...]:
        """All results, in the order of the scan node's outputs."""
        return (*self.ys, *self.next_carry, *self.sums)

    def wanting(self, wanted: Sequence[bool]) -> StepGraph:
        """The same graph with gradients required for the given `inputs`."""
        given: dict[Node, Node] = {
            node: traced(node._data, want, node.name)
            for node, want in zip(self.inputs, wanted, strict=True)
        }
        new = copied([*self.results, *self.drawn], given | {node: node for node in self.mask})

        def each(nodes: Iterable[Node]) -> tuple[Node, ...]:
            return tuple(new[node] for node in nodes)

        return StepGraph(
            self.label,
            each(self.xs),
            self.masked,
            each(self.carry),
            each(self.leaves),
            each(self.next_carry),
            each(self.ys),
            each(self.sums),
            each(self.drawn),
            self.constants,
            self.observed,
        )


def copied(results: Sequence[Node], replaced: Mapping[Any, Any]) -> dict[Node, Node]:
    """The copy of each node that the results depend on, where some nodes are replaced.

    Whether a copy requires a gradient follows from the replacements.
    """
    new: dict[Node, Node] = dict(replaced)
    for node in nodes_behind(results):
        if node in new:
            continue
        if node.op is None:  # a constant
            new[node] = node
            continue
        inputs = tuple(new[x] if isinstance(x, Node) else x for x in node.inputs or ())
        made = _applied(node.op, inputs, node.attributes, node._data, node.scope)
        made.name = node.name
        new[node] = made
    return new


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


def traced(array: Any, requires_grad: bool = False, name: str | None = None) -> Tracer:
    """A leaf; it gets a gradient only if it is floating."""
    tensor = Tracer.of(array)
    tensor.requires_grad = requires_grad and is_floating(array)
    tensor.name = name
    return tensor


def graph_of(
    record: Record,
    carries: int,
    label: str,
    wanted: Sequence[bool],
    constants: Sequence[Any] = (),
    numbers: Collection[Place] = (),
    masked: bool = False,
) -> tuple[StepGraph, list[Any]]:
    """The graph of a recorded step, and the origin of each leaf: a Tensor, or a Place.

    The first `carries` inputs are the carry. `wanted`: for each leaf of the carry and of x_t,
    whether it may require a gradient. `numbers`: the constants that become leaves.
    """
    made = _Nodes(record, wanted, numbers)
    drawn = [made.nodes[k] for k, call in enumerate(record.calls) if not call.op.traits.pure]
    leaves = [node for node in nodes_behind([*made.results, *drawn]) if node in made.leaves]
    results, xs = made.results, made.inputs[carries:]
    seen = results[len(results) - record.observed :]
    taps = [traced(np.zeros_like(node._data), node.requires_grad) for node in seen]
    graph = StepGraph(
        label=label,
        xs=(*xs[: len(xs) - masked], *taps, *xs[len(xs) - masked :]),
        masked=masked,
        carry=tuple(made.inputs[:carries]),
        leaves=tuple(leaves),
        next_carry=tuple(results[:carries]),
        ys=tuple(results[carries:]),
        drawn=tuple(drawn),
        constants=tuple(constants),
        observed=record.observed,
    )
    return graph, [made.leaves[leaf] for leaf in leaves]


class _Nodes:
    """The nodes of a recorded step: its inputs, its leaves, and the results of its calls."""

    def __init__(self, record: Record, wanted: Sequence[bool], numbers: Collection[Place]) -> None:
        self.inputs = [traced(t._data, want) for t, want in zip(record.inputs, wanted, strict=True)]
        self.leaves: dict[Node, Any] = {}  # what each leaf represents
        self._leaf_of: dict[Any, Tracer] = {}
        self.nodes: list[Node] = []
        for k, call in enumerate(record.calls):
            places = {Place(k, i) for i in range(len(call.inputs))} & set(numbers)
            inputs = tuple(map(self._operand, call.inputs))
            for place in places:
                inputs = self._with_number(inputs, place)
            node = _applied(call.op, inputs, call.attributes, native(call.node._data), call.scope)
            if node.requires_grad and not call.grad and isinstance(node, Tensor):
                node = _applied(detached, (node,), {}, node._data, node.scope)
            node.name = call.node.name
            self.nodes.append(node)
        self.results = [self._result(x) for x in record.results]

    def _operand(self, ref: Any) -> Any:
        if isinstance(ref, Input):
            return self.inputs[ref.position]
        if isinstance(ref, Result):
            return self.nodes[ref.call]
        return self._leaf(ref, ref) if isinstance(ref, Tensor) else native(ref)

    def _leaf(self, of: Any, like: Any) -> Tracer:
        """A leaf, without the history and hooks of the Tensor that it represents."""
        if of not in self._leaf_of:
            if isinstance(like, Tensor):
                leaf = traced(native(like._data), like.requires_grad, like.name)
            else:
                leaf = traced(native(like))
            self.leaves[leaf], self._leaf_of[of] = of, leaf
        return self._leaf_of[of]

    def _with_number(self, inputs: tuple[Any, ...], place: Place) -> tuple[Any, ...]:
        """The number at the place as a leaf, in the dtype that it takes among those operands."""
        others = [x._data.dtype if isinstance(x, Node) else x for x in inputs]
        dtype = np.result_type(*others)
        leaf = self._leaf(place, np.asarray(inputs[place.position], dtype))
        return tuple(leaf if i == place.position else x for i, x in enumerate(inputs))

    def _result(self, ref: Any) -> Node:
        node = self._operand(ref)
        return node if isinstance(node, Node) else traced(np.asarray(node))


def _applied(
    op: Primitive, inputs: tuple[Any, ...], attributes: Any, data: Any, scope: Scope | None
) -> Node:
    """The node of an op on these inputs, with a known value."""
    values = [x._data if isinstance(x, Node) else x for x in inputs]
    several = isinstance(data, tuple)
    node = (Node if several else Tracer).of(data, op, inputs, values, attributes, scope)
    node.requires_grad = (
        op.traits.differentiable
        and any(isinstance(x, Node) and x.requires_grad for x in inputs)
        and (several or is_floating(data))
    )
    return node
