"""The gradient on each edge of a graph, recorded during one backward pass."""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from ...engine.autograd import propagate
from ...engine.recording.mode import ModeChange
from ...engine.recording.node import Node
from ...engine.tensor import Tensor
from ...graph import Graph
from ...norms import norm

__all__ = ["Flow", "Gradients"]


class Gradients(Protocol):
    """The gradient on each edge of a graph: a `Flow`, or an object with the same methods."""

    runs_along: bool  # along the edges, rather than against them

    def along(self, edges: Iterable[tuple[int, int, int]]) -> float | None:
        """The norm of the gradient on these edges together; None where there is none."""

    def at(self, i: int) -> Any:
        """The gradient of a node, an array; None if it has none."""

    def from_omitted_steps(self, i: int) -> float | None:
        """The norm of the gradient that omitted steps send to a node; None if they send none."""

    def is_gradient(self, i: int) -> bool:
        """Whether the value of a node is itself a gradient."""


class Flow:
    """The gradient that each op sends to each of its inputs, for one scalar (or weighted) output.

    It is recorded while the engine's own backward pass runs, and the graph is kept. The gradient of
    a node is the sum of what its consumers send it. `keep` names the nodes (by place) whose
    gradient arrays are kept; of all others only the norm of each part is.

    `weights`: for the first outputs of the graph. `cuts`: the places of leaves that are detached
    states. The gradient that they would receive is recorded too, and is propagated no further.
    """

    runs_along = False

    def __init__(
        self,
        graph: Graph,
        weights: Sequence[Any],
        keep: Callable[[int], bool] = lambda i: True,
        cuts: Iterable[int] = (),
    ) -> None:
        self.graph = graph
        self._place = {node.source.number: node.index for node in graph if node.source is not None}
        self._keep = keep
        self._norms: dict[tuple[int, int], float] = {}
        # By the receiving node: by the places of the senders and the input positions there.
        self._parts: dict[int, dict[tuple[int, int], Any]] = defaultdict(dict)
        self._from_omitted_steps: dict[int, Any] = {}  # what each node receives from them
        outputs: list[Node] = []
        for i, weight in zip(graph.outputs, weights, strict=False):
            source = graph[i].source
            assert source is not None
            outputs.append(source)
            self._parts[i][-1, 0] = weight
        with ModeChange(watch=self):
            propagate(outputs, list(weights), retain_graph=True)
        leaves = [source for i in cuts if (source := graph[i].source) is not None]
        detached = {leaf.number: leaf for leaf in leaves if not leaf.requires_grad}
        if detached:
            with _as_if_attached(graph, detached), ModeChange(watch=_Only(self, detached)):
                propagate(outputs, list(weights), wanted=list(detached.values()), retain_graph=True)

    def forward(self, op: Any, node: Node, inputs: Sequence[Any]) -> None:
        """Nothing happens in the forward pass."""

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Called by the engine with the gradient for one input of `node`."""
        here = self._place.get(node.number)
        if here is None or here in self.graph.folded:
            self._fold(node, position, grad)
            return
        source = self.graph[here].inputs[position]
        if self._keep(source):
            self._parts[source][here, position] = grad
        else:
            self._norms[here, position] = norm(grad)

    def _fold(self, node: Node, position: int, grad: Any) -> None:
        """Note the gradient that an op of a step left out sends to another step."""
        source = node.inputs[position] if node.inputs is not None else None
        if not isinstance(source, Node) or source.scope is None or node.scope is None:
            return
        place = self._place.get(source.number)
        if place is not None and node.scope.step not in (None, source.scope.step):
            known = self._from_omitted_steps.get(place)
            self._from_omitted_steps[place] = grad if known is None else known + grad

    def from_omitted_steps(self, i: int) -> float | None:
        """The norm of the gradient that omitted steps send to a node; None if they send none."""
        total = self._from_omitted_steps.get(i)
        return None if total is None else norm(total)

    def along(self, edges: Iterable[tuple[int, int, int]]) -> float | None:
        """The norm of the gradient on these edges together; None where there is none.

        Edges that start at the same node add up as vectors; others are parts of one vector.
        """
        by_source: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for source, target, position in edges:
            by_source[source].add((target, position))
        norms = []
        for source, uses in by_source.items():
            sent = self._parts.get(source, {})
            parts = [sent[use] for use in sorted(uses) if use in sent]
            if parts:
                norms.append(norm(_total(parts)))
            norms += [self._norms[use] for use in uses if use in self._norms]
        if not norms:
            return None
        return norms[0] if len(norms) == 1 else norm(norms)

    def parts(self, i: int) -> list[tuple[int, int, Any]]:
        """What the consumers of node `i` send it: their places, input positions, gradients."""
        return [(*use, grad) for use, grad in self._parts.get(i, {}).items() if use[0] >= 0]

    def is_gradient(self, i: int) -> bool:
        """False: the nodes belong to a forward pass."""
        return False

    def at(self, i: int) -> Any:
        """The gradient of node `i`, an array; None if none reached it or it was not kept."""
        parts = self._parts.get(i)
        return _total(list(parts.values())) if parts else None


class _Only:
    """Passes only the gradients of some nodes on to a Flow."""

    def __init__(self, flow: Flow, numbers: Container[int]) -> None:
        self._flow = flow
        self._numbers = numbers

    def forward(self, *_: Any) -> None:
        """Nothing happens in the forward pass."""

    def backward(self, node: Node, position: int, grad: Any) -> None:
        source = node.inputs[position] if node.inputs is not None else None
        if isinstance(source, Node) and source.number in self._numbers:
            self._flow.backward(node, position, grad)


@contextmanager
def _as_if_attached(graph: Graph, detached: Container[int]) -> Iterator[None]:
    """Within this context, detached nodes and what is computed from them require gradients."""
    marked: dict[int, Node] = {}
    for node in graph:
        source = node.source
        if source is None or source.requires_grad:
            continue
        made_of = (x for x in source.inputs or () if isinstance(x, Node))
        if source.number in detached or any(x.number in marked for x in made_of):
            marked[source.number] = source
            source.requires_grad = True
    try:
        yield
    finally:
        for source in marked.values():
            source.requires_grad = False


def _total(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else functools.reduce(operator.add, parts)


def weights_of(outputs: Sequence[Tensor]) -> list[Any]:
    """Ones for every element of each output: the gradient of their sum."""
    return [np.ones_like(output._data) for output in outputs]
