"""Levels of detail: which ops of a step are drawn as one box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable

import numpy as np

from ...graph import GraphNode
from .bands import bands_of
from .columns import AFTER, BEFORE
from .unrolled import Unrolled

__all__ = ["LEVELS", "at_level"]

LEVELS = ("rolled", "modules", "gates", "ops")


def at_level(unrolled: Unrolled, level: str) -> Unrolled:
    """The graph of `unrolled` with its ops grouped for `level`. ValueError for an unknown level.

    `ops` (and `rolled`, which shows one step of it): each op. `gates`: each named op together with
    the nameless ops that only it uses, and the arithmetic between named ops. `modules`: a box for
    each loop and step.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is not one of {', '.join(LEVELS)}")
    unrolled = unrolled.afresh()
    if level in ("ops", "rolled"):
        return unrolled.build()
    group = _cones(unrolled) if level == "gates" else _modules(unrolled.afresh().build())
    return unrolled.build(group)


def _modules(unrolled: Unrolled) -> Callable[[Hashable], Hashable]:
    in_time = [row for row in unrolled.rows.values() if set(row.members) - {BEFORE, AFTER}]
    band_of = {
        row.key: ("module", place)
        for place, rows in enumerate(bands_of(unrolled, in_time))
        for row in rows
        if row.kind == "op"
    }
    return lambda key: band_of.get(key, key)


def _cones(unrolled: Unrolled) -> Callable[[Hashable], Hashable]:
    """Assign each nameless op whose users all belong to one named op to that named op.

    It is then inside the cone of that op, so groups form no cycles. An op that takes only named
    values, such as the product of a gate and a state, stays by itself: these are the × and + of the
    textbook diagrams.
    """
    graph, keys = unrolled.graph, unrolled.keys
    tips: dict[Hashable, set[Hashable]] = defaultdict(set)
    tip: dict[Hashable, Hashable] = {}
    crosses: set[Hashable] = set()  # rows whose value another step, or code outside the steps, uses
    users: dict[Hashable, dict[Hashable, None]] = defaultdict(dict)
    order: dict[Hashable, str | None] = {}
    arithmetic: set[int] = set()
    for node in graph:
        if not unrolled.is_box(node.index):
            continue
        key, column = keys[node.index], unrolled.column_of[node.index]
        order.setdefault(key, node.name)
        if node.name is None and _is_arithmetic(unrolled, node, arithmetic):
            arithmetic.add(node.index)
            order[key] = ""  # in some step: the first one may start from a nameless value
        for i in node.inputs:
            source = unrolled.whole(i)
            if unrolled.is_box(source):
                users[keys[source]][key] = None
                same_place = graph[source].path == node.path
                if unrolled.column_of[source] != column or not same_place:
                    crosses.add(keys[source])
    for key in reversed(list(order)):
        tips[key] = {tip[user] for user in users[key] if user in tip}
        alone = len(tips[key]) == 1 and len(users[key]) and key not in crosses
        tip[key] = next(iter(tips[key])) if alone and order[key] is None else key
    return lambda key: tip.get(key, key)


def _is_arithmetic(unrolled: Unrolled, node: GraphNode, known: set[int]) -> bool:
    """Whether an op takes only named values, other arithmetic, and numbers."""
    taken = [unrolled.graph[i] for i in node.inputs if np.ndim(unrolled.graph[i].value)]
    return bool(taken) and all(
        x.index in known
        or (x.op is not None and x.name is not None and not unrolled.only_parameters[x.index])
        for x in taken
    )
