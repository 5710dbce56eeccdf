"""What flows back along each edge of a graph: one backward pass, watched."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..engine.autograd import _fitted, propagate
from ..engine.mode import ModeChange
from ..engine.node import Node
from ..engine.tensor import Tensor
from ..graph import Graph

__all__ = ["Flow", "norm"]


def norm(array: Any) -> float:
    """The Euclidean norm, in float64, right also where the squares would underflow.

    >>> norm(np.full(4, 1e-200))
    2e-200
    """
    flat = np.asarray(array, np.float64).ravel()
    square = float(flat.dot(flat))
    if 1e-200 < square < 1e200 or not flat.size:
        return math.sqrt(square)
    largest = float(np.abs(flat).max())
    if largest == 0 or not np.isfinite(largest):
        return largest
    flat = flat / largest
    return largest * math.sqrt(float(flat.dot(flat)))


class Flow:
    """The gradient that each op sends to each of its inputs, for one scalar (or weighted) output.

    Recorded while the engine's own backward pass runs, with the graph kept. The gradient of a
    node is the sum of what its consumers send it. `keep` says of which nodes (by their place) the
    arrays are kept too, rather than the norm of each part alone.
    """

    def __init__(
        self, graph: Graph, weights: Sequence[Any], keep: Callable[[int], bool] = lambda i: True
    ) -> None:
        self.graph = graph
        self._place = {node.source.number: node.index for node in graph if node.source is not None}
        self._keep = keep
        self._norms: dict[tuple[int, int], float] = {}
        self._parts: dict[int, list[tuple[int, int, Any]]] = defaultdict(list)
        self._handed: dict[int, list[Any]] = defaultdict(list)
        outputs: list[Node] = []
        for i, weight in zip(graph.outputs, weights, strict=True):
            source = graph[i].source
            assert source is not None
            outputs.append(source)
            self._parts[i].append((-1, 0, weight))
        with ModeChange(watch=self):
            propagate(outputs, list(weights), retain_graph=True)

    def forward(self, op: Any, node: Node, inputs: Sequence[Any]) -> None:
        """Nothing to see in the forward direction."""

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Called by the engine with the gradient for one input of `node`."""
        here = self._place.get(node.number)
        if here is None or here in self.graph.folded:
            self._fold(node, position, grad)
            return
        source = self.graph[here].inputs[position]
        if self._keep(source):
            self._parts[source].append((here, position, grad))
        else:
            self._norms[here, position] = norm(grad)

    def _fold(self, node: Node, position: int, grad: Any) -> None:
        """Note the gradient that an op of a step left out sends to another step."""
        source = node.inputs[position] if node.inputs is not None else None
        if not isinstance(source, Node) or source.scope is None or node.scope is None:
            return
        place = self._place.get(source.number)
        if place is not None and node.scope.step not in (None, source.scope.step):
            self._handed[place].append(grad)

    def handed(self, i: int) -> float | None:
        """The norm of what steps left out of the graph send to a node; None for nothing."""
        parts = self._handed.get(i)
        return norm(_total(parts)) if parts else None

    def along(self, edges: Iterable[tuple[int, int, int]]) -> float | None:
        """The norm of what flows back along these edges together; None where nothing does.

        Edges that start at the same node add up as vectors, others as parts of one vector.
        """
        by_source: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for source, target, position in edges:
            by_source[source].add((target, position))
        norms = []
        for source, uses in by_source.items():
            parts = [grad for t, p, grad in self._parts.get(source, ()) if (t, p) in uses]
            if parts:
                norms.append(norm(_total(parts)))
            norms += [self._norms[use] for use in uses if use in self._norms]
        if not norms:
            return None
        return norms[0] if len(norms) == 1 else norm(norms)

    def withheld(self, edges: Iterable[tuple[int, int, int]]) -> float | None:
        """The norm of what would flow back along `edges` if their starts took gradients.

        They do not where a `detach` cuts the graph. None if no gradient comes as far as the cut.
        """
        sums: dict[int, Any] = {}
        for start, target, position in edges:
            node, gradient = self.graph[target].source, self.at(target)
            if node is None or node.op is None or node.values is None or gradient is None:
                continue
            rule = node.op.rule(position)
            part = rule(gradient, node._data, *node.values, **(node.attributes or {}))
            part = _fitted(part, node.values[position])
            sums[start] = sums[start] + part if start in sums else part
        return norm([norm(total) for total in sums.values()]) if sums else None

    def parts(self, i: int) -> list[tuple[int, int, Any]]:
        """What the consumers of node `i` send it: their places, the positions, the gradients."""
        return [part for part in self._parts.get(i, ()) if part[0] >= 0]

    def at(self, i: int) -> Any:
        """The gradient of node `i`, an array; None if none reached it or it was not kept."""
        parts = self._parts.get(i)
        return _total([grad for _, _, grad in parts]) if parts else None


def _total(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.sum(np.stack(parts), axis=0)


def weights_of(outputs: Sequence[Tensor]) -> list[Any]:
    """Ones for every element of each output: the gradient of their sum."""
    return [np.ones_like(output._data) for output in outputs]
