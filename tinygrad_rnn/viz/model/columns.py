"""Which column of the picture each op is in: that of a time step, or a column outside the steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Sequence

from ...graph import Graph, GraphNode

__all__ = ["AFTER", "BARS", "BEFORE", "assign_columns", "columns_of_use", "dependence"]

# Columns of ops that belong to no single step: before all steps, after them, and bars across them,
# each with a column of its own from BARS downward.
BEFORE, AFTER, BARS = -1, -2, -3


def assign_columns(
    graph: Graph, steps: Sequence[int], only_parameters: list[bool], no_parameters: list[bool]
) -> list[int]:
    """The column of each node: the place of its step in `steps`, BEFORE, AFTER or that of a bar.

    An op made outside all steps belongs to the step in which it is used, or to the latest step that
    it uses, if other steps have an op like it. An op that uses more than two steps, collects from
    them, or has no counterpart comes after all of them or, if steps use it in turn, in a bar across
    them.
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
            collects = node.op.variadic is not None and len(used) > 1
            at_end = AFTER in used or len(used) > 2 or collects
            columns[node.index] = AFTER if at_end else max(used)
            like[node.path, node.label].add(columns[node.index])
            between.append(node)
    for node in between:
        alone = len(like[node.path, node.label] - {AFTER}) == 1 and len(steps) > 1
        if alone or any(columns[i] == AFTER for i in node.inputs):
            columns[node.index] = AFTER
    for node in reversed(graph.nodes):
        is_piece = node.op is None or node.selects is not None or not no_parameters[node.index]
        if columns[node.index] == BEFORE and is_piece:
            users = {columns[i] for i, _ in graph.consumers[node.index]}
            if len(users) == 1:
                columns[node.index] = users.pop()
    _find_bars(graph, columns, only_parameters, no_parameters)
    for node in graph:  # hangs on a bar and leads to no step
        if columns[node.index] == BEFORE and any(columns[i] <= AFTER for i in node.inputs):
            columns[node.index] = AFTER
    return columns


def _find_bars(
    graph: Graph, columns: list[int], only_parameters: list[bool], no_parameters: list[bool]
) -> None:
    """Put ops that take from all steps, or from none, and that steps use, into columns of bars.

    Connected ops share a bar.
    """
    leads = [False] * len(graph)  # to an op in a step
    bar: dict[int, int] = {}
    for node in reversed(graph.nodes):
        users = [i for i, _ in graph.consumers[node.index]]
        leads[node.index] = any(columns[i] >= 0 or leads[i] for i in users)
        used_in = {columns[i] for i in users}
        if columns[node.index] == AFTER and len(used_in) == 1 and min(used_in) >= 0:
            columns[node.index] = min(used_in)  # a slice taken for one step
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


def dependence(
    graph: Graph, states: Container[int] = frozenset(), prepares: bool | None = None
) -> tuple[list[bool], list[bool]]:
    """For each node, whether it depends on parameters alone, and whether it depends on none.

    `states`: places of nodes that count as neither, such as a learned initial state. `prepares`:
    whether something may be prepared for steps, by default whether there are any; if not, leaves
    alone depend on nothing but parameters.
    """
    prepares = bool(graph.steps) if prepares is None else prepares
    only, none = [], []
    for node in graph:
        if node.index in states:
            only.append(False)
            none.append(False)
        elif node.op is None:
            only.append(node.kind != "input")
            none.append(node.kind not in ("parameter", "saved"))
        elif node.index in graph.folded:
            only.append(False)
            none.append(False)
        else:
            only.append(prepares and all(only[i] for i in node.inputs))
            none.append(all(none[i] for i in node.inputs))
    return only, none


def columns_of_use(graph: Graph, column_of: list[int]) -> dict[int, set[int]]:
    """For each node, the columns in which it is used."""
    used: dict[int, set[int]] = defaultdict(set)
    for node in graph:
        for i in node.inputs:
            used[i].add(column_of[node.index])
    return used
