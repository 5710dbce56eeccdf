"""A recorded graph seen as one step, stamped along time.

Each op gets a *column* (its time step) and a *row* (which op of the step it is). Rows are found by
structure: the path, the op, the name, the ops of the same step that it takes its inputs from, and
the how-manyth such op of its step it is. So the thousand steps of a sequence become one template of
rows, links between them that stay within a step or reach over to another one (`delta`), and a list
of which columns have them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.node import Node
from ..graph import Graph, GraphNode

__all__ = ["AFTER", "BARS", "BEFORE", "Edge", "Link", "Row", "Unrolled"]

# The columns of what no single step owns: ahead of all steps, after them, and bars across them,
# which have columns of their own from BARS downward.
BEFORE, AFTER, BARS = -1, -2, -3

Edge = tuple[int, int, int]  # places in the graph of the input and of the op, and the position


@dataclass
class Row:
    """One op of the step (or, at a coarser level, one group of ops)."""

    key: Hashable
    kind: str  # "op", "input" or "initial" (a state before the first step)
    path: str
    members: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    parameters: list[str] = field(default_factory=list)

    def top(self, column: int) -> int:
        """The place in the graph of the op whose value this row has in `column`."""
        return self.members[column][-1]


@dataclass
class Link:
    """What one row takes from another, `delta` steps earlier (negative: later).

    `value` is the key of the op whose value it is; `source` the row in which that op stands.
    `edges`: by the column that they arrive in. `outward`: those that arrive in no step, by the
    column that they start in.
    """

    source: Hashable
    value: Hashable
    target: Hashable
    delta: int
    edges: dict[int, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    outward: dict[int, list[Edge]] = field(default_factory=lambda: defaultdict(list))


class Unrolled:
    """Rows, columns and links of a graph; see the module."""

    def __init__(self, graph: Graph, columns: list[int] | None = None) -> None:
        self.graph = graph
        self.steps = graph.steps or [0]
        self.only_parameters, self.no_parameters = _dependence(graph)
        self.column_of = columns or assign_columns(graph, self.steps, self.only_parameters)
        self.is_grouped = False
        self.is_compact = False  # whether there are so many steps that only the lines are drawn
        self.keys: list[Hashable] = []
        # If steps were left out: where what a step hands over is, by key and column.
        self.handed: dict[tuple[Hashable, int], int] = {}
        self.rows: dict[Hashable, Row] = {}
        self.links: dict[tuple[Hashable, Hashable, Hashable, int], Link] = {}
        self._slots: dict[tuple[Hashable, int], tuple[Hashable, int]] = {}
        self._name_rows()

    def _name_rows(self) -> None:
        counts: dict[Any, int] = defaultdict(int)
        folded = self.graph.folded
        handed: dict[Any, list[Any]] = {}
        for node in self.graph:
            column, kind = self.column_of[node.index], _kind(node)
            if node.index in folded:
                self.keys.append(kind)  # the rest below
                continue
            counts[column, kind] += 1
            count = counts[column, kind]
            self.keys.append((*kind, count) if column >= 0 else (*kind, count, column))
        if not folded:
            return
        # Of a step that was left out, only what it hands over is there: the n-th of its kind is
        # the n-th of its kind that a step that is there hands over.
        for key in self._handed_over():
            handed.setdefault(key[:-1], []).append(key)
        counts.clear()
        for i in sorted(folded):
            kind, column = _kind(self.graph[i]), self.column_of[i]
            known = handed.get(kind, ())
            counts[column, kind] += 1
            count = counts[column, kind]
            key = known[count - 1] if count <= len(known) else (*kind, count)
            self.keys[i] = key
        states = {key for keys in handed.values() for key in keys}
        for i, key in enumerate(self.keys):
            if key in states:
                self.handed[key, self.column_of[i]] = i

    def _handed_over(self) -> list[Any]:
        """The keys of what one step hands to others, in order."""
        found: dict[int, Any] = {}
        for node in self.graph:
            column = self.column_of[node.index]
            for i in node.inputs:
                if self.column_of[i] not in (column, BEFORE, AFTER) and i not in self.graph.folded:
                    found[i] = self.keys[i]
        return list(dict.fromkeys(found[i] for i in sorted(found) if self.column_of[i] >= 0))

    def is_box(self, i: int) -> bool:
        """Whether node `i` is drawn as a box: an op that is neither a view nor a parameter's."""
        node = self.graph[i]
        return (
            node.op is not None
            and node.selects is None
            and not self.only_parameters[i]
            and not self.is_input(i)
        )

    def is_input(self, i: int) -> bool:
        """Whether node `i` is what a step is given: a leaf, or a piece of a leaf cut out for it."""
        node = self.graph[i]
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
        used_in = _columns_of_use(self.graph, self.column_of)
        self._find_slots(boxes)
        for node in self.graph:
            if not boxes[node.index]:
                continue
            key = group(self.keys[node.index])
            row = self.rows.get(key)
            if row is None:
                row = self.rows[key] = Row(key, "op", node.path)
            row.members[self.column_of[node.index]].append(node.index)
            for position, i in enumerate(node.inputs):
                if boxes[self.whole(i)]:
                    self._link_op(node, position, i, key, group)
                else:
                    self._link_leaf(node, position, i, key, used_in)
        return self

    def _find_slots(self, boxes: list[bool]) -> None:
        """Which inputs of which rows take what another step has made: where states come in."""
        for node in self.graph:
            column = self.column_of[node.index]
            if not boxes[node.index] or column < 0:
                continue
            for position, i in enumerate(node.inputs):
                before = self.column_of[i]
                if before >= 0 and before != column and boxes[self.whole(i)]:
                    slot = (self.keys[node.index], position)
                    self._slots[slot] = (self.keys[i], column - before)

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
        used_in: dict[int, set[int]],
    ) -> None:
        leaf, column = self.graph[value], self.column_of[node.index]
        slot = (self.keys[node.index], position)
        edge = (value, node.index, position)
        if slot in self._slots:
            state, delta = self._slots[slot]
            first_key = ("initial", state, delta)
            first = self.rows.setdefault(first_key, Row(first_key, "initial", node.path))
            if value not in first.members[column]:
                first.members[column].append(value)
            self._link(first_key, state, key, delta).edges[column].append(edge)
        elif leaf.kind == "constant" and np.ndim(leaf.constant) == 0:
            return  # a number belongs to the op's label
        elif not self.is_input(value) or len(used_in[value]) > 1:
            parameters = self.rows[key].parameters
            parameters += [name for name in self._leaf_names(value) if name not in parameters]
        else:
            input_key = ("input", node.path, slot if leaf.op is None else self.keys[value])
            row = self.rows.setdefault(input_key, Row(input_key, "input", node.path))
            if value not in row.members[column]:
                row.members[column].append(value)
            self._link(input_key, input_key, key, 0).edges[column].append(edge)

    def _link(self, source: Hashable, value: Hashable, target: Hashable, delta: int) -> Link:
        found = self.links.get((source, value, target, delta))
        if found is None:
            found = self.links[source, value, target, delta] = Link(source, value, target, delta)
        return found

    def _leaf_names(self, i: int) -> list[str]:
        """The names of the leaves that a parameter's value is made from."""
        names: list[str] = []
        to_visit = [i]
        while to_visit:
            node = self.graph[to_visit.pop()]
            if node.op is None and node.kind != "constant" and node.label not in names:
                names.append(node.label)
            to_visit.extend(reversed(node.inputs))
        return names or [self.graph[i].label]

    def root_name(self, i: int) -> str | None:
        """The name of the first named leaf that an input was cut out of."""
        while (node := self.graph[i]).op is not None and node.name is None:
            i = node.inputs[0]
        return node.name


def _kind(node: GraphNode) -> tuple[Any, ...]:
    """What tells one op of a step from others, but for those that are made alike."""
    source = node.source
    if source is None or source.op is None:
        return node.path, node.label, node.name, ()
    scope = source.scope
    step = scope.step if scope is not None else None
    # What comes from elsewhere may differ: in the first step it is no step's.
    made_of = tuple(
        x.op.name if isinstance(x, Node) and x.op is not None and _step(x) == step else ""
        for x in source.inputs or ()
    )
    return scope.path if scope is not None else "", source.op.name, source.name, made_of


def _step(source: Node) -> int | None:
    return source.scope.step if source.scope is not None else None


def assign_columns(graph: Graph, steps: Sequence[int], only_parameters: list[bool]) -> list[int]:
    """The column of each node: the place of its step in `steps`, BEFORE, AFTER or a bar's.

    An op made in no step belongs to the step that it is used in, or to the latest step that it
    uses if there is one like it in other steps too. One that uses more than two steps, or that
    has no like, stands after all of them; or, if steps use it in turn, in a bar across them.
    """
    if not graph.steps:
        return [0] * len(graph)
    place = {step: column for column, step in enumerate(steps)}
    columns = [BEFORE if node.step is None else place[node.step] for node in graph]
    like: dict[tuple[str, str], set[int]] = defaultdict(set)
    between: list[GraphNode] = []
    for node in graph:
        if node.op is None or node.step is not None:
            continue
        used = {columns[i] for i in node.inputs} - {BEFORE}
        if used:
            columns[node.index] = AFTER if AFTER in used or len(used) > 2 else max(used)
            like[node.path, node.label].add(columns[node.index])
            between.append(node)
    for node in between:
        alone = len(like[node.path, node.label] - {AFTER}) == 1 and len(steps) > 1
        if alone or any(columns[i] == AFTER for i in node.inputs):
            columns[node.index] = AFTER
    for node in reversed(graph.nodes):
        if columns[node.index] == BEFORE:
            users = {columns[i] for i, _ in graph.consumers[node.index]}
            if len(users) == 1:
                columns[node.index] = users.pop()
    _find_bars(graph, columns, only_parameters)
    return columns


def _find_bars(graph: Graph, columns: list[int], only_parameters: list[bool]) -> None:
    """Give the ops that take from all steps, or from none, for steps to use, columns of bars.

    Ops of the same bar are those that hang together.
    """
    _, no_parameters = _dependence(graph)
    leads = [False] * len(graph)  # to an op in a step
    bar: dict[int, int] = {}
    for node in reversed(graph.nodes):
        users = [i for i, _ in graph.consumers[node.index]]
        leads[node.index] = any(columns[i] >= 0 or leads[i] for i in users)
        used_in = {columns[i] for i in users}
        if columns[node.index] == AFTER and len(used_in) == 1 and min(used_in) >= 0:
            columns[node.index] = min(used_in)  # a piece cut out for one step
        of_steps = columns[node.index] >= 0 or node.op is None or not leads[node.index]
        if of_steps or only_parameters[node.index] or no_parameters[node.index]:
            continue
        joined = {bar[i] for i in users if i in bar}
        kept = bar[node.index] = min(joined, default=node.index)
        for i, other in bar.items():
            if other in joined:
                bar[i] = kept
    for number, first in enumerate(sorted(set(bar.values()))):
        for i, other in bar.items():
            if other == first:
                columns[i] = BARS - number


def _dependence(graph: Graph) -> tuple[list[bool], list[bool]]:
    """For each node, whether it depends on nothing but parameters; and whether on none."""
    only, none = [], []
    for node in graph:
        if node.op is None:
            only.append(node.kind != "input")
            none.append(node.kind != "parameter")
        elif node.index in graph.folded:
            only.append(False)
            none.append(False)
        else:
            only.append(all(only[i] for i in node.inputs))
            none.append(all(none[i] for i in node.inputs))
    return only, none


def _columns_of_use(graph: Graph, column_of: list[int]) -> dict[int, set[int]]:
    """For each node, the columns in which it is used."""
    used: dict[int, set[int]] = defaultdict(set)
    for node in graph:
        for i in node.inputs:
            used[i].add(column_of[node.index])
    return used
