"""A recorded graph seen as one step, stamped along time.

Each op has a *column* (its time step) and a *row* (its place in the step). Rows are found by
structure: the path, the op, the name, the ops of the same step that it takes its inputs from, and
its number among such ops of its step. So the thousand steps of a sequence become one template of
rows, links between them that stay within a step or reach another one (`delta`), and a list of the
columns that have them.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...engine.recording.node import Node
from ...graph import Graph, GraphNode
from ..style.text import FEW
from .columns import AFTER, BEFORE, assign_columns, columns_of_use, dependence

__all__ = ["Edge", "Link", "Row", "Unrolled", "common_path", "state_name"]

SMALL_GRAPH = 40  # nodes of an expression whose numbers are all shown

Edge = tuple[int, int, int]  # places in the graph of the input and of the op, and the position


@dataclass
class Row:
    """One op of the step (or, at a coarser level, one group of ops).

    `parameters`: by the name of each parameter, the edges along which it enters, by column.
    """

    key: Hashable
    kind: str  # "op", "input" or "initial" (a state before the first step)
    path: str
    members: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    parameters: dict[str, dict[int, list[Edge]]] = field(default_factory=dict)

    def top(self, column: int) -> int:
        """The place in the graph of the op that computes this row's value in `column`."""
        return self.members[column][-1]


@dataclass
class Link:
    """What one row takes from another, `delta` steps earlier (negative: later).

    `value` is the key of the op that computes the value; `source` the row of that op. `edges`: by
    the column in which they arrive. `outward`: those that arrive in no step, by the column in which
    they start. `cut`: like `edges`, those that take the value detached.
    """

    source: Hashable
    value: Hashable
    target: Hashable
    delta: int
    edges: dict[int, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    outward: dict[int, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    cut: dict[int, list[Edge]] = field(default_factory=lambda: defaultdict(list))

    def leaving(self, column: int) -> list[Edge]:
        """The edges that start in `column`, wherever they arrive, and that carry a gradient."""
        inside = self.edges.get(column + self.delta, ()) if column >= 0 else ()
        return [*inside, *self.outward.get(column, ())]

    def leaves(self, column: int) -> bool:
        """Whether the value of `column` is used at all, even if only detached."""
        return bool(self.leaving(column)) or (column >= 0 and column + self.delta in self.cut)


class Unrolled:
    """Rows, columns and links of a graph; see the module.

    `cuts`: the places of leaves that are states of an earlier step, detached.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.steps = graph.steps or [0]
        self.only_parameters, self.no_parameters = dependence(graph)
        self.column_of = assign_columns(graph, self.steps, self.only_parameters, self.no_parameters)
        self.is_grouped = False
        self.is_compact = False  # whether there are so many steps that only the lines are drawn
        self.is_expression = is_expression(graph)
        self.keys: list[Hashable] = []
        # If steps were left out: where the values that a step passes on are, by key and column.
        self.passed_on: dict[tuple[Hashable, int], int] = {}
        self.rows: dict[Hashable, Row] = {}
        self.links: dict[tuple[Hashable, Hashable, Hashable, int], Link] = {}
        # Where states enter: the keys of the op and of the value, and how many steps later.
        self._slots: dict[tuple[Hashable, int], tuple[Hashable, Hashable, int]] = {}
        self._names_at: dict[tuple[Hashable, int], list[str]] = {}  # of forward values
        self._starts: set[int] = set()  # the places of parameters that enter there instead
        self._made: dict[tuple[Hashable, int], int] = {}  # where the states of each column are
        self.cuts: set[int] = set()
        self._name_rows()
        self._find_slots()

    def afresh(self) -> Unrolled:
        """The same columns and keys without rows and links, to be built another way."""
        other = copy(self)
        other.rows, other.links, other._names_at = {}, {}, {}
        other.is_grouped = other.is_compact = False
        return other

    def _name_rows(self) -> None:
        counts: dict[Any, int] = defaultdict(int)
        folded = self.graph.folded
        passed_on: dict[Any, list[Any]] = {}
        kinds = [_kind(node) for node in self.graph]
        for node in self.graph:
            column, kind = self.column_of[node.index], kinds[node.index]
            if node.index in folded:
                self.keys.append(kind)  # completed below
                continue
            counts[column, kind] += 1
            count = counts[column, kind]
            self.keys.append((*kind, count) if column >= 0 else (*kind, count, column))
        if not folded:
            return
        # Of an omitted step only the values that it passes on are there: the n-th of a kind is
        # the n-th of that kind that a kept step passes on.
        for key in self._passed_on():
            passed_on.setdefault(key[:-1], []).append(key)
        counts.clear()
        for i in sorted(folded):
            column, kind = self.column_of[i], kinds[i]
            known = passed_on.get(kind, ())
            counts[column, kind] += 1
            count = counts[column, kind]
            self.keys[i] = known[count - 1] if count <= len(known) else (*kind, count)
        states = {key for keys in passed_on.values() for key in keys}
        for i, key in enumerate(self.keys):
            if key in states:
                self.passed_on[key, self.column_of[i]] = i

    def _passed_on(self) -> list[Any]:
        """The keys of what one step hands to others, in order."""
        found: dict[int, Any] = {}
        for node in self.graph:
            column = self.column_of[node.index]
            for i in node.inputs:
                if self.column_of[i] not in (column, BEFORE, AFTER) and i not in self.graph.folded:
                    found[i] = self.keys[i]
        return list(dict.fromkeys(found[i] for i in sorted(found) if self.column_of[i] >= 0))

    def is_box(self, i: int) -> bool:
        """Whether node `i` is drawn as a box: no view, and not applied to a parameter."""
        node = self.graph[i]
        return (
            node.op is not None
            and node.selects is None
            and i not in self._starts
            and not self.only_parameters[i]
            and not self.is_input(i)
        )

    def is_input(self, i: int) -> bool:
        """Whether node `i` is the input of a step: a leaf, or the step's slice of a leaf."""
        node = self.graph[i]
        if self.is_expression and node.op is None:
            return node.kind != "constant" or np.ndim(node.constant) > 0
        if self.only_parameters[i] and node.kind != "input":
            return node.kind == "constant" and np.ndim(node.constant) > 0
        if node.op is None:
            return True
        return self.no_parameters[i] and all(
            self.column_of[j] == BEFORE or self.graph[j].kind == "constant" for j in node.inputs
        )

    def whole(self, i: int) -> int:
        """The op that node `i` is an output of: itself, or the op of several outputs."""
        node = self.graph[i]
        return node.inputs[0] if node.selects is not None else i

    def build(self, grouping: Callable[[Hashable], Hashable] | None = None) -> Unrolled:
        """Fill `rows` and `links`, each op's row mapped by `grouping`; returns itself."""
        self.is_grouped = grouping is not None
        group = grouping or (lambda key: key)
        boxes = [self.is_box(i) for i in range(len(self.graph))]
        used_in = columns_of_use(self.graph, self.column_of)
        for node in self.graph:
            if not boxes[node.index]:
                continue
            key = group(self.keys[node.index])
            row = self.rows.get(key)
            if row is None:
                row = self.rows[key] = Row(key, "op", node.path)
            elif row.path != node.path:
                row.path = common_path([row.path, node.path])
            row.members[self.column_of[node.index]].append(node.index)
            for position, i in enumerate(node.inputs):
                if boxes[self.whole(i)]:
                    self._link_op(node, position, i, key, group)
                else:
                    self._link_leaf(node, position, i, key, group, used_in)
        return self

    def _find_slots(self) -> None:
        """Which inputs of which rows take what another step made: where states enter.

        What several steps take from one place is not a state; it was prepared once, as a transposed
        weight may be.
        """
        taken: dict[tuple[Hashable, int], list[tuple[int, int]]] = defaultdict(list)
        for node in self.graph:
            if node.op is not None and self.column_of[node.index] >= 0:
                for position, i in enumerate(node.inputs):
                    taken[self.keys[node.index], position].append((node.index, i))
        others: list[tuple[int, int, Hashable, int]] = []
        for slot, uses in taken.items():
            states = {i: user for user, i in uses if self._is_of_another_step(user, i)}
            if states and len({i for _, i in uses}) == len(uses):
                i, user = states.popitem()
                state, delta = self.keys[i], self.column_of[user] - self.column_of[i]
                self._slots[slot] = (self.keys[self.whole(i)], state, delta)
                others += [(u, j, state, delta) for u, j in uses if j != i and j not in states]
        self._starts = {i for _, i, _, _ in others if self.only_parameters[i]}
        if self._starts:
            self.only_parameters, self.no_parameters = dependence(self.graph, self._starts)
        values = {state for _, state, _ in self._slots.values()}
        self._made = {
            (key, column): i
            for i, (key, column) in enumerate(zip(self.keys, self.column_of))
            if key in values
        }
        for user, i, state, delta in others:
            origin = self.made(state, self.column_of[user] - delta)
            if origin is not None and np.array_equal(self.graph[origin].value, self.graph[i].value):
                self.cuts.add(i)

    def _is_of_another_step(self, user: int, i: int) -> bool:
        is_op = self.graph[self.whole(i)].op is not None
        return is_op and self.column_of[i] >= 0 and self.column_of[i] != self.column_of[user]

    def _link_op(
        self,
        node: GraphNode,
        position: int,
        value: int,
        key: Hashable,
        group: Callable[[Hashable], Hashable],
    ) -> None:
        whole = self.whole(value)
        source_key, source_column = group(self.keys[whole]), self.column_of[whole]
        column = self.column_of[node.index]
        if source_key != key or source_column != column:
            delta = column - source_column if column >= 0 and source_column >= 0 else 0
            link = self._link(source_key, self.keys[value], key, delta)
            edge = (value, node.index, position)
            link.edges[column].append(edge)
            if column < 0:
                link.outward[source_column].append(edge)

    def _link_leaf(
        self,
        node: GraphNode,
        position: int,
        value: int,
        key: Hashable,
        group: Callable[[Hashable], Hashable],
        used_in: dict[int, set[int]],
    ) -> None:
        leaf, column = self.graph[value], self.column_of[node.index]
        slot = (self.keys[node.index], position)
        edge = (value, node.index, position)
        if slot in self._slots:
            whole, state, delta = self._slots[slot]
            if value in self.cuts:
                self._link(group(whole), state, key, delta).cut[column].append(edge)
                return
            first_key = ("initial", state, delta)
            first = self.rows.setdefault(first_key, Row(first_key, "initial", node.path))
            if value not in first.members[column]:
                first.members[column].append(value)
            self._link(first_key, state, key, delta).edges[column].append(edge)
        elif leaf.kind == "constant" and np.ndim(leaf.constant) == 0:
            return  # a number is part of the op's label
        elif not self.is_input(value) or len(used_in[value]) > 1:
            names = self.names(value)
            if any(leaf.kind == "saved" for leaf in self._leaves(value)):
                # The same name in all steps: at an end of time another value is in its place.
                names = self._names_at.setdefault(slot, names)
            for name in names:
                uses = self.rows[key].parameters.setdefault(name, defaultdict(list))
                uses[column].append(edge)
        else:
            by_use = leaf.op is None and not self.is_expression
            input_key = ("input", node.path, slot if by_use else self.keys[value])
            row = self.rows.setdefault(input_key, Row(input_key, "input", node.path))
            if value not in row.members[column]:
                row.members[column].append(value)
            self._link(input_key, input_key, key, 0).edges[column].append(edge)

    def made(self, state: Hashable, column: int) -> int | None:
        """The place in the graph of a state of `column`, if it is there."""
        return self._made.get((state, column))

    def _link(self, source: Hashable, value: Hashable, target: Hashable, delta: int) -> Link:
        found = self.links.get((source, value, target, delta))
        if found is None:
            found = self.links[source, value, target, delta] = Link(source, value, target, delta)
        return found

    def names(self, i: int) -> list[str]:
        """The names of the leaves that a parameter's value or an input's root depends on."""
        if self.is_input(i):
            return [self.root_name(i) or "x"]
        return list(dict.fromkeys(leaf.label for leaf in self._leaves(i))) or [self.graph[i].label]

    def short_name(self, name: str) -> str:
        """The shortest end of a parameter's path that no other parameter has."""
        names = {other for row in self.rows.values() for other in row.parameters} - {name}
        parts = name.split(".")
        ends = (".".join(parts[n:]) for n in reversed(range(len(parts))))
        return next(
            (end for end in ends if not any(f".{o}".endswith(f".{end}") for o in names)), name
        )

    def _leaves(self, i: int) -> list[GraphNode]:
        """The leaves that a node is made from, without constants."""
        found: list[GraphNode] = []
        to_visit = [i]
        while to_visit:
            node = self.graph[to_visit.pop()]
            if node.op is None and node.kind != "constant":
                found.append(node)
            to_visit.extend(reversed(node.inputs))
        return found

    def root_name(self, i: int) -> str | None:
        """The name of the first named leaf that an input is a slice of."""
        while (node := self.graph[i]).op is not None and node.name is None:
            i = node.inputs[0]
        return node.name


def is_expression(graph: Graph) -> bool:
    """Whether a graph has no steps and is small enough for a box per leaf, with its numbers.

    >>> import tinygrad_rnn as tg
    >>> is_expression(tg.viz.draw(tg.ones(2).requires_grad_() * 3.0).graph)
    True
    """
    small = all(not n.has_several_outputs and np.size(n.value) <= FEW for n in graph)
    return not graph.steps and len(graph) <= SMALL_GRAPH and small


def state_name(value: Hashable) -> str:
    """The name of a state: the name of the op that computes it."""
    name = value[2] if isinstance(value, tuple) and len(value) > 2 else None
    return str(name or "state")


def common_path(paths: Sequence[str]) -> str:
    """The path of the innermost module that holds all of these.

    >>> common_path(["net.lstm.l0", "net.lstm.l1"])
    'net.lstm'
    """
    parts = zip(*(path.split(".") for path in paths), strict=False)
    same = itertools.takewhile(lambda names: len(set(names)) == 1, parts)
    return ".".join(names[0] for names in same)


def _kind(node: GraphNode) -> tuple[Any, ...]:
    """The kind of an op within its step; ops that are computed in the same way share it."""
    source = node.source
    if node.origin is not None:
        return (node.path, node.label, *node.origin)
    if source is None or source.op is None:
        return node.path, node.label, node.name, ()
    scope = source.scope
    step = scope.step if scope is not None else None
    # What comes from elsewhere may differ: in the first step it belongs to no step.
    made_of = tuple(
        x.op.name if isinstance(x, Node) and x.op is not None and _step(x) == step else ""
        for x in source.inputs or ()
    )
    return scope.path if scope is not None else "", source.op.name, source.name, made_of


def _step(source: Node) -> int | None:
    return source.scope.step if source.scope is not None else None
