"""The backward pass itself as a graph: the ops that compute the gradient.

The engine runs the ops' own gradient rules on Tensors (`create_graph`), so they are recorded like
any other computation. Each recorded op is identified by its origin: the n-th op of the gradient
rule of a given op of the step with respect to a given input, or the n-th sum at a given value. So
all steps look alike, even the last one, where fewer gradients meet.

A gradient that arrives at a parameter or an input ends there: each step has its own part, and the
whole is the sum over the steps. Forward values that the backward pass reads appear by name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from ...engine.autograd import propagate
from ...engine.primitives.primitive import Primitive
from ...engine.recording.mode import ModeChange
from ...engine.recording.node import Node
from ...engine.recording.scope import Scope
from ...engine.tensor import Tensor
from ...graph import Graph, GraphNode
from ...norms import norm
from ..model.history import WholeHistory
from ..model.unrolled import Unrolled

__all__ = ["Carried", "backward_graph"]

MARK = "∂"


class Carried:
    """The norms of edges from the node `first` on, which carry gradients themselves.

    It takes the place of a `Flow`, which holds the gradients of a forward pass, against the edges.
    """

    runs_along = True

    def __init__(self, graph: Graph, first: int) -> None:
        self.graph = graph
        self._carries: list[bool] = []
        for node in graph:
            is_seed = node.index >= first and node.kind == "input"
            self._carries.append(is_seed or self._is_made_of_one(node, first))

    def _is_made_of_one(self, node: GraphNode, first: int) -> bool:
        return node.index >= first and any(self._carries[i] for i in node.inputs)

    def along(self, edges: Iterable[tuple[int, int, int]]) -> float | None:
        """The norm of the gradients on these edges together; None for forward values."""
        sources = {source for source, _, _ in edges if self.is_gradient(source)}
        norms = [norm(self.graph[i].value) for i in sorted(sources)]
        return norm(norms) if norms else None

    def is_gradient(self, i: int) -> bool:
        """Whether a node is computed from the gradient of the output."""
        return self._carries[i]

    def at(self, i: int) -> None:
        """None: gradients of gradients are not computed."""

    def from_omitted_steps(self, i: int) -> None:
        """None: the graph of a backward pass leaves out no steps."""


class _Recorder(WholeHistory):
    """Watches the backward pass over `unrolled` and notes the origin of each op."""

    def __init__(self, unrolled: Unrolled) -> None:
        super().__init__()
        self.origin: dict[int, Hashable] = {}
        self.scopes: dict[int, Scope] = {}
        self.totals: dict[int, Any] = {}  # the gradient of each node so far, by the node's number
        self.ends: list[Tensor] = []  # what arrives at parameters and inputs
        self._unrolled = unrolled
        self._place = {n.source.number: n.index for n in unrolled.graph if n.source is not None}
        self._fresh: list[Node] = []  # recorded since the last part was complete
        self._last: tuple[Node, Any] | None = None  # that part, and the node whose gradient it is

    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        super().forward(op, node, inputs, attributes)
        if self._last is not None and len(inputs) == 2 and inputs[1] is self._last[1]:
            x, _ = self._last
            self._note(node, x, ("sum",), x)
            self.totals[x.number] = node
        else:
            self._fresh.append(node)
        self._last = None

    def backward(self, node: Node, position: int, grad: Any) -> None:
        x = node.inputs[position] if node.inputs is not None else None
        kind = min(position, len(node.op.rules)) if node.op is not None else position
        for number, made in enumerate(self._fresh):
            self._note(made, node, ("rule", kind, number), x)
        self._fresh.clear()
        if isinstance(x, Node):
            self.totals.setdefault(x.number, grad)
            self._last = (x, grad)
            self._end(node, x, grad)

    def _note(self, made: Node, at: Node, kind: tuple[Any, ...], x: Any) -> None:
        """Note that an op was recorded at a forward node, for the gradient of `x`.

        It belongs to the step of that node or, if it has none, to the step of `x`.
        """
        place = self._place.get(at.number)
        key = self._unrolled.keys[place] if place is not None else None
        self.origin[made.number] = (*kind, key)
        steps = (n.scope for n in (at, x) if isinstance(n, Node) and n.scope is not None)
        scope = next((s for s in steps if s.step is not None), at.scope or Scope())
        self.scopes[made.number] = Scope(f"{MARK} {scope.path}".strip(), scope.step)

    def _end(self, node: Node, x: Node, grad: Any) -> None:
        """Note a gradient that is propagated no further, and name it."""
        here, source = self._place.get(node.number), self._place.get(x.number)
        if here is None or source is None or not self._unrolled.is_box(here):
            return
        if not self._unrolled.is_box(self._unrolled.whole(source)):
            self.ends.append(grad)
            if grad.name is None and grad.op is not None:
                grad.named(MARK + ", ".join(self._unrolled.names(source)))


def backward_graph(
    forward: Graph, outputs: Sequence[Tensor], beside: bool = False
) -> tuple[Graph, Carried]:
    """The ops that compute the gradient of the sum of `outputs`; `forward` is their history.

    `beside`: append them to the nodes of the forward pass, instead of returning them alone.
    """
    unrolled = Unrolled(forward).build()
    seeds = [Tensor.of(np.ones_like(output._data)) for output in outputs]
    for seed in seeds:
        seed.named(f"{MARK}L").requires_grad_()  # so that everything computed from it is recorded
    recorder = _Recorder(unrolled)
    with ModeChange(watch=recorder):
        propagate(outputs, seeds, create_graph=True, retain_graph=True)
    for node in forward:
        total = recorder.totals.get(node.source.number) if node.source is not None else None
        if node.name and node.op is not None and isinstance(total, Tensor) and total.name is None:
            total.named(MARK + node.name)
    nodes = list(forward.nodes) if beside else []
    first = len(nodes)
    made = _made_since(seeds[0], recorder.ends)
    nodes += _Builder(unrolled, recorder, first, beside).nodes(made)
    places = {node.source.number: node.index for node in nodes if node.source is not None}
    ends = [places[end.number] for end in recorder.ends if end.number in places]
    graph = Graph(nodes, [*(forward.outputs if beside else ()), *ends])
    return graph, Carried(graph, first)


def _made_since(first: Node, ends: Iterable[Node]) -> list[Node]:
    """The nodes recorded since `first` that `ends` depend on, in order."""
    found: dict[int, Node] = {}
    to_visit = list(ends)
    while to_visit:
        node = to_visit.pop()
        if _whole(node).number >= first.number and node.number not in found:
            found[node.number] = node
            to_visit += [x for x in node.inputs or () if isinstance(x, Node)]
    return [found[number] for number in sorted(found)]


def _whole(node: Node) -> Node:
    """The op of several outputs that a node selects from; otherwise the node itself."""
    selects = node.output_index is not None
    return node.inputs[0] if selects and node.inputs is not None else node


class _Builder:
    """Makes the nodes of the graph: those of the backward pass, with copies of forward values."""

    def __init__(self, unrolled: Unrolled, recorder: _Recorder, first: int, beside: bool) -> None:
        self._unrolled = unrolled
        self._recorder = recorder
        self._first = first
        self._beside = beside
        self._place = {n.source.number: n.index for n in unrolled.graph if n.source is not None}
        self._nodes: list[GraphNode] = []
        self._copies: dict[Hashable, int] = {}

    def nodes(self, made: Iterable[Node]) -> list[GraphNode]:
        """`made` (inputs before the nodes that use them) and the forward values that they read."""
        places: dict[int, int] = {}
        for node in made:
            node.scope = self._recorder.scopes.get(node.number, node.scope)
            inputs = []
            for x in node.inputs or ():
                known = places.get(x.number) if isinstance(x, Node) else None
                inputs.append(self._copy(x, node) if known is None else known)
            kind = "input" if node.op is None else "op"
            places[node.number] = self._add(kind, node, tuple(inputs))
        self._name_origins()
        return self._nodes

    def _add(
        self, kind: Any, source: Node | None, inputs: tuple[int, ...] = (), constant: Any = None
    ) -> int:
        self._nodes.append(
            GraphNode(self._first + len(self._nodes), kind, source, inputs, constant)
        )
        return self._nodes[-1].index

    def _copy(self, x: Any, user: Node) -> int:
        """The place of a constant, a parameter, or a forward value, in the step that uses it."""
        if not isinstance(x, Node):
            return self._add("constant", None, constant=x)
        step = user.scope.step if user.scope is not None else None
        place = self._place.get(_whole(x).number)
        kind = self._unrolled.graph[place].kind if place is not None else "constant"
        is_parameter = kind == "parameter"
        key = x.number if is_parameter else (x.number, step)
        if key not in self._copies:
            if is_parameter:
                self._copies[key] = self._add(kind, x)
            else:
                copy = Tensor.of(x._data if not isinstance(x._data, tuple) else x._data[0])
                copy.scope = user.scope
                copy.named(self._called(place, step))
                self._copies[key] = self._add("saved", copy)
        return self._copies[key]

    def _called(self, place: int | None, step: int | None) -> str:
        """The label of a forward value: its name, and how many steps earlier it was computed."""
        if place is None:
            return "constant"
        node = self._unrolled.graph[place]
        name = node.name or self._unrolled.root_name(place)
        if node.name is None and self._unrolled.is_box(place):
            name = self._expression(node)
        if node.step is not None and step is not None and node.step != step:
            name = f"{name} (t{node.step - step:+d})".replace("-", "−")
        return name or "x"

    def _expression(self, node: GraphNode) -> str:
        """A nameless op written in terms of its inputs, if those have names: `1 − update gate`."""
        symbol = node.symbol
        inputs = (self._unrolled.graph[i] for i in node.inputs)
        taken = [
            x.name or ("" if x.constant is None else f"{x.constant:g}")
            for x in inputs
            if x.name or np.ndim(x.constant) == 0
        ]
        if not 0 < len(taken) == len(node.inputs) <= 2 or not all(taken):
            return node.label
        return f" {symbol} ".join(taken) if len(taken) == 2 else f"{symbol}({', '.join(taken)})"

    def _name_origins(self) -> None:
        """Identify each op by its origin, with the name that most ops of that origin have."""
        names: dict[Hashable, Counter[str | None]] = defaultdict(Counter)
        origins = self._recorder.origin
        for node in self._nodes:
            if node.source is not None and node.source.number in origins:
                names[origins[node.source.number]][node.name] += 1
        for node in self._nodes:
            if node.source is not None and node.source.number in origins:
                origin = origins[node.source.number]
                node.origin = (names[origin].most_common(1)[0][0], origin)
