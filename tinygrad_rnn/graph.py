"""Graph: a recorded program as data, which pictures, planner and exporters read.

    graph = Graph.of(loss)
    for node in graph:
        print(node.index, node.label, node.inputs, node.shape, node.path, node.step)

The nodes are in topological order and refer to their inputs by position in that order. So reading a
graph means iterating over a list: there is no recursion, however long the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .engine.recording.node import Node
from .engine.tensor import Tensor
from .errors import GraphFreedError

if TYPE_CHECKING:
    from .engine.primitives.primitive import Primitive

__all__ = ["Graph", "GraphNode"]

Kind = Literal["op", "parameter", "input", "constant", "saved"]

_SHOWN_FIRST, _SHOWN_LAST = 30, 10  # lines of a long graph that `str` shows


class GraphNode:
    """One node of a `Graph`: an op applied, or a leaf.

    `index`: its place in the graph. `inputs`: the places of its inputs, in the order in which the
    op takes them. `source`: the recorded tensor that it represents, None for a constant. `origin`:
    in a graph of a backward pass, what the op belongs to, else None.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True).named("w")
    >>> node = Graph.of(tg.tanh(w))[-1]
    >>> node.label, node.kind, node.inputs, node.shape, node.dtype
    ('tanh', 'op', (0,), (2,), dtype('float32'))
    """

    __slots__ = ("constant", "index", "inputs", "kind", "origin", "source")

    def __init__(
        self,
        index: int,
        kind: Kind,
        source: Node | None,
        inputs: tuple[int, ...] = (),
        constant: Any = None,
    ) -> None:
        self.index = index
        self.kind: Kind = kind
        self.source = source
        self.inputs = inputs
        self.constant = constant
        self.origin: tuple[Any, ...] | None = None

    @property
    def op(self) -> Primitive | None:
        """The op that made this value; None for a leaf."""
        return self.source.op if self.source is not None else None

    @property
    def label(self) -> str:
        """The op's name; for a leaf its own name or, if it has none, its kind."""
        op = self.op
        return op.name if op is not None else self.name or self.kind

    @property
    def symbol(self) -> str:
        """The symbol of an op, such as `+` or `σ`; the label of a leaf or op without a symbol."""
        op = self.op
        return (op.traits.symbol if op is not None else None) or self.label

    @property
    def name(self) -> str | None:
        """The name given by `named`, or the parameter's; None without one."""
        return self.source.name if self.source is not None else None

    @property
    def attributes(self) -> dict[str, Any]:
        """The op's keyword arguments, complete, axes counted from the end."""
        return (self.source.attributes or {}) if self.source is not None else {}

    @property
    def value(self) -> Any:
        """The array itself (not a copy; do not write to it), or the constant.

        For an op of several outputs a tuple of arrays; each of them is also a separate node.
        """
        return self.source._data if self.source is not None else self.constant

    @property
    def has_several_outputs(self) -> bool:
        """Whether this is an op with several outputs, which follow as nodes that select one."""
        return isinstance(self.value, tuple)

    @property
    def selects(self) -> int | None:
        """Which output of the op in `inputs[0]` this is, if it is one of several."""
        return self.source.output_index if self.source is not None else None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of the value; None for an op of several outputs."""
        return None if self.has_several_outputs else np.shape(self.value)

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of the value; None for an op of several outputs or a Python number."""
        return getattr(self.value, "dtype", None)

    @property
    def path(self) -> str:
        """The module path in which it was made, such as `lstm.l0`; empty if none was open."""
        scope = self.source.scope if self.source is not None else None
        return scope.path if scope is not None else ""

    @property
    def step(self) -> int | None:
        """The time step in which it was made, or None."""
        scope = self.source.scope if self.source is not None else None
        return scope.step if scope is not None else None

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this node."""
        return self.source is not None and self.source.requires_grad

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        called = f"{self.label}({', '.join(f'%{i}' for i in self.inputs)})"
        if self.op is None:
            called = f"{self.kind} {self.label}" if self.kind != self.label else self.label
        if self.constant is not None:
            called = f"constant {_in_brief(self.constant)}"
        return (
            f"%{self.index} = {called}"
            + (f" {_in_brief(self.value)}" if self.dtype and self.constant is None else "")
            + (f" '{self.name}'" if self.name and self.op is not None else "")
            + (f" in {self.path}" if self.path else "")
            + (f", step {self.step}" if self.step is not None else "")
        )


class Graph:
    """The nodes from which some outputs were computed, inputs before their users.

    `nodes` is a list of `GraphNode`; `outputs` are places in it; `folded` are the places of nodes
    that represent omitted steps, without their inputs. A graph keeps the values alive, even when a
    backward pass frees the history of the tensors themselves.

    >>> import tinygrad_rnn as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True).named("w")
    >>> print(Graph.of((w * 3.0).sum()))
    graph of 4 nodes: 2 ops, 1 parameter, 0 inputs, 1 constant
      %0 = parameter w float32[2]
      %1 = constant 3.0
      %2 = mul(%0, %1) float32[2]
      %3 = sum(%2) float32[]
      returns %3
    """

    def __init__(
        self, nodes: list[GraphNode], outputs: Sequence[int], folded: Iterable[int] = ()
    ) -> None:
        self.nodes = nodes
        self.outputs = tuple(outputs)
        self.folded = frozenset(folded)

    @classmethod
    def of(cls, *outputs: Tensor, inputs: Sequence[Tensor] = ()) -> Graph:
        """The recorded history of `outputs`.

        A leaf counts as a parameter if it requires a gradient (or is a `Parameter`), unless it is
        listed in `inputs`. Numbers and arrays passed to ops are constants. TypeError for anything
        that is not a Tensor; `GraphFreedError` if a backward pass has freed the history: draw
        before it, or pass it `retain_graph=True`.
        """
        for output in outputs:
            if not isinstance(output, Tensor):
                raise TypeError(f"Graph.of takes Tensors, not {type(output).__name__}")
        return cls.folding(outputs, inputs, _history(outputs).values(), {})

    @classmethod
    def folding(
        cls,
        outputs: Sequence[Tensor],
        inputs: Sequence[Tensor],
        whole: Iterable[Node],
        folded: Mapping[int, Node],
    ) -> Graph:
        """The graph of the nodes `whole` and, as leaves that keep their op, `folded` by number.

        Every input of a node in `whole` must be in one of them.
        """
        recorded = {node.number: node for node in whole}
        recorded.update(folded)
        given = {x.number for x in inputs}
        nodes: list[GraphNode] = []
        places: dict[int, int] = {}
        arrays: dict[int, int] = {}  # places of constant arrays, by identity: one node each
        for number in sorted(recorded):
            source = recorded[number]
            place = places[number] = len(nodes)
            if source.op is None:
                kind: Kind = "input"
                if number not in given and (source.requires_grad or type(source) is not Tensor):
                    kind = "parameter"
                nodes.append(GraphNode(place, kind, source))
                continue
            if number in folded:
                whole_of = (
                    () if source.output_index is None else (places[source.inputs[0].number],)  # type: ignore[index]
                )
                nodes.append(GraphNode(place, "op", source, whole_of))
                continue
            found = []
            for x in source.inputs or ():
                if isinstance(x, Node):
                    found.append(places[x.number])
                    continue
                constant = arrays.get(id(x)) if isinstance(x, np.ndarray) else None
                if constant is None:
                    constant = len(nodes)
                    nodes.append(GraphNode(constant, "constant", None, constant=x))
                    if isinstance(x, np.ndarray):
                        arrays[id(x)] = constant
                found.append(constant)
            places[number] = len(nodes)
            nodes.append(GraphNode(len(nodes), "op", source, tuple(found)))
        in_place = (places[number] for number in folded)
        return cls(nodes, [places[output.number] for output in outputs], in_place)

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self.nodes)

    def __getitem__(self, index: int) -> GraphNode:
        return self.nodes[index]

    @cached_property
    def consumers(self) -> list[list[tuple[int, int]]]:
        """For each node, its users: pairs of a node's place and the position of the input."""
        users: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for position, i in enumerate(node.inputs):
                users[i].append((node.index, position))
        return users

    @cached_property
    def steps(self) -> list[int]:
        """The time steps that occur, in order."""
        return sorted({step for node in self.nodes if (step := node.step) is not None})

    def of_kind(self, kind: Kind) -> list[GraphNode]:
        """The nodes that are of this kind: "op", "parameter", "input", "constant" or, in a graph
        of a backward pass, "saved", which is a value of the forward pass."""
        return [node for node in self.nodes if node.kind == kind]

    def __repr__(self) -> str:
        kinds = [node.kind for node in self.nodes]
        counts = ((kind, kinds.count(kind)) for kind in ("op", "parameter", "input", "constant"))
        listed = ", ".join(f"{n} {kind}{'s' * (n != 1)}" for kind, n in counts)
        time = f", {len(self.steps)} time steps" if self.steps else ""
        return f"graph of {len(self)} nodes: {listed}{time}"

    def __str__(self) -> str:
        left_out = len(self) - _SHOWN_FIRST - _SHOWN_LAST
        lines: list[Any] = list(self.nodes)
        if left_out > 0:
            note = f"... {left_out} nodes more ..."
            lines = [*self.nodes[:_SHOWN_FIRST], note, *self.nodes[-_SHOWN_LAST:]]
        returned = ", ".join(f"%{i}" for i in self.outputs)
        return "\n  ".join([repr(self), *map(str, lines), f"returns {returned}"])


def _history(outputs: Sequence[Tensor]) -> dict[int, Node]:
    """Every node from which `outputs` were computed, by number."""
    seen: dict[int, Node] = {}
    to_visit: list[Node] = list(outputs)
    while to_visit:
        node = to_visit.pop()
        if node.number in seen:
            continue
        seen[node.number] = node
        if node.op is None:
            continue
        if node.inputs is None:
            raise GraphFreedError(
                f"the history of {node.op.name}{node.place()} was freed by a backward pass. "
                "Take the graph before it, or pass retain_graph=True to it."
            )
        for x in node.inputs:
            if isinstance(x, Node) and x.number not in seen:
                to_visit.append(x)
    return seen


def _in_brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    text = str(value)
    return text if len(text) <= 20 else type(value).__name__
