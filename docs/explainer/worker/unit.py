"""One unit of one value at one step: how it was computed, down to sums of products.

Nothing here knows an op. What an op does to one number follows from its traits and from its own
gradient. One that works elementwise is shown with its arguments. Of a view the element behind it is
shown. Of a weighted sum, such as a matrix product, the gradient by the weights is what is weighted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.engine.autograd import propagate
from tinygrad_rnn.engine.recording.mode import ModeChange
from tinygrad_rnn.engine.recording.node import Node
from tinygrad_rnn.graph import Graph, GraphNode
from tinygrad_rnn.viz.model.unrolled import Unrolled

__all__ = [
    "Index",
    "arithmetic",
    "at_step",
    "behind_views",
    "broadcast",
    "find",
    "index_of",
    "slopes",
]

Array = Any
Index = tuple[int, ...]


def find(graph: Graph, name: str, step: int) -> int | None:
    """The node with that name at that step; the last one, if there are several."""
    return max((n.index for n in graph if n.name == name and n.step == step), default=None)


def arithmetic(unrolled: Unrolled, i: int, unit: int) -> dict[str, Any]:
    """The expression of a unit as a nest: {"value", "name"}, and what it is made of.

    "symbol" and "args" where an op works elementwise; "terms", pairs of what is multiplied, with
    "of", the names of both, for a weighted sum. Other names are not looked into.
    """
    node = unrolled.graph[i]
    return _expression(unrolled, node, index_of(node, unit), node.step, True)


def index_of(node: GraphNode, unit: int) -> Index:
    """Where a unit is in a node's value; the last one if there are not so many."""
    value = np.asarray(node.value)
    index = np.unravel_index(min(unit, value.size - 1), value.shape)
    return tuple(map(int, index))


def _expression(
    unrolled: Unrolled, node: GraphNode, index: Index, step: int | None, whole: bool
) -> dict[str, Any]:
    graph = unrolled.graph
    node, index = behind_views(graph, node, index)
    found = {"value": float(np.asarray(node.value)[index]), "name": _title(node, index, step)}
    if node.op is None or (not whole and (node.name or node.step not in (None, step))):
        return found
    if node.op.traits.elementwise:
        args = [
            _expression(unrolled, graph[j], broadcast(graph[j], index), step, False)
            for j in node.inputs
        ]
        symbol = node.symbol
        return {**found, "symbol": symbol, "args": args}
    terms = _terms(unrolled, node, index, step)
    return {**found, **terms} if terms else found


def behind_views(graph: Graph, node: GraphNode, index: Index) -> tuple[GraphNode, Index]:
    """The element that a view shows, and the node that it is an element of."""
    while node.op is not None and not node.name and len(node.inputs) == 1:
        outer = graph[node.inputs[0]]
        source = graph[outer.inputs[0]] if node.selects is not None else outer
        made_by = outer if node.selects is not None else node
        if made_by.op is None or not made_by.op.traits.view or not source.requires_grad:
            break
        (place,) = np.argwhere(_seen_from(node, index, source))
        node, index = source, tuple(map(int, place))
    return node, index


def _seen_from(node: GraphNode, index: Index, source: GraphNode) -> Array:
    """Which element of `source` a view of it shows at `index`: 1 there, 0 elsewhere."""
    assert node.source is not None and source.source is not None
    one = np.zeros_like(np.asarray(node.value))
    one[index] = 1
    return propagate([node.source], [one], wanted=[source.source], retain_graph=True)[source.source]


def _terms(
    unrolled: Unrolled, node: GraphNode, index: Index, step: int | None
) -> dict[str, Any] | None:
    """The products whose sum the element is; None if it is no such sum."""
    graph = unrolled.graph
    if not (node.op and (node.op.traits.multilinear or node.op.traits.linear)):
        return None
    inputs = [graph[j] for j in node.inputs]
    # The weights: what does not change from step to step.
    weights = [n for n in inputs if n.requires_grad and unrolled.only_parameters[n.index]]
    if not weights:
        return None
    weight = weights[-1]
    factors = slopes(graph, node, index)[node.inputs.index(weight.index)]
    places = [tuple(map(int, place)) for place in np.argwhere(np.ones(np.shape(weight.value)))]
    used = [p for p in places if factors[p]] or [p for p in places if p[-1] == index[-1]]
    other = next((n for n in inputs if n is not weight), weight)
    behind, _ = behind_views(graph, weight, used[0]) if used else (weight, ())
    return {
        "terms": [[float(factors[p]), float(np.asarray(weight.value)[p])] for p in used],
        "of": [
            _base(behind_views(graph, other, (0,) * np.ndim(other.value))[0], step),
            behind.label,
        ],
    }


def slopes(graph: Graph, node: GraphNode, index: Index) -> list[Array]:
    """How one element of a node changes with each of its inputs, by the rules of its op alone."""
    assert node.source is not None
    one = np.zeros_like(np.asarray(node.value))
    one[index] = 1
    watched = _Watch(node.source)
    inputs = [graph[j].source for j in node.inputs if graph[j].requires_grad]
    with ModeChange(watch=watched):  # an input may lie behind another one, so no sum is taken
        propagate(
            [node.source], [one], wanted=[x for x in inputs if x is not None], retain_graph=True
        )
    return [watched.parts.get(position, 0.0) for position in range(len(node.inputs))]


class _Watch:
    """Notes what the backward pass sends from one node to its inputs."""

    def __init__(self, node: Node) -> None:
        self._number = node.number
        self.parts: dict[int, Array] = {}

    def forward(self, *_: Any) -> None:
        """Nothing happens in the forward pass."""

    def backward(self, node: Node, position: int, grad: Array) -> None:
        """Called by the engine with the gradient for one input of `node`."""
        if node.number == self._number:
            self.parts[position] = grad


def broadcast(node: GraphNode, index: Index) -> Index:
    """The element of an input that broadcasting puts at `index`."""
    shape = np.shape(node.value)
    kept = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else k for size, k in zip(shape, kept))


def _base(node: GraphNode, step: int | None) -> str:
    """A node's name with its step where that is another one: "h at t-1"."""
    name = node.name or ("" if node.op is not None else node.label)
    return at_step(name, node, step)


def at_step(name: str, node: GraphNode, step: int | None) -> str:
    """A name as it is told at a step: "h[t-1]" for one of the step before."""
    if name and node.step is not None and step is not None and node.step != step:
        return f"{name}[t{node.step - step:+d}]"
    return name


def _title(node: GraphNode, index: Index, step: int | None) -> str:
    name = _base(node, step)
    return f"{name}·{index[-1]}" if name and index else name
