"""Propagating gradients back over recorded nodes, split by the path that they take."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ...compiler.trace.tracers import nodes_behind
from ...engine.recording.broadcasting import unbroadcast, zeros
from ...engine.recording.node import Node

__all__ = ["propagated", "propagated_by_path"]

Array = Any


def propagated_by_path(
    seeds: Mapping[Any, Array],
    split: Collection[Node],
    whole: Collection[Node],
    named: Collection[Node],
    first: int,
    size: int | None = None,
) -> tuple[dict[Node, dict[int, Any]], list[Node]]:
    """Propagate the gradients of the `seeds` back to the ends: `split` by path, or as a `whole`.

    A gradient that passes a `named` node continues as the path of that node. These paths are
    numbered from `first`; -1 is the path of a gradient that has passed no named node. `size`: the
    length of a leading axis that the gradients have and the nodes do not, to propagate several
    gradients at once. Returns the parts at each end, and the named nodes that depend on an end, in
    the order of their numbers.
    """
    split, ends, named = frozenset(split), frozenset([*split, *whole]), frozenset(named)
    leads: dict[Node, bool] = {}
    to_split: dict[Node, bool] = {}
    paths: dict[Node, int] = {}
    for node in nodes_behind([*seeds]):
        made_of = [x for x in node.inputs or () if isinstance(x, Node)]
        leads[node] = node in ends or any(leads[x] for x in made_of)
        to_split[node] = node in split or any(to_split[x] for x in made_of)
        if node in named and leads[node]:
            paths[node] = first + len(paths)
    waiting: dict[Node, dict[int, Any]] = {seed: {-1: grad} for seed, grad in seeds.items()}
    places = [(-node.number, node) for node in waiting]
    places.sort(key=lambda place: place[0])
    arrived: dict[Node, dict[int, Any]] = {}
    while places:
        node = heappop(places)[1]
        parts = waiting.pop(node)
        if node in ends:
            arrived[node] = parts
            continue
        if node in paths:
            parts = {paths[node]: _sum(parts)}
        elif not to_split[node]:
            parts = {-1: _sum(parts)}
        for position, x in enumerate(node.inputs or ()):
            if not isinstance(x, Node) or not leads[x]:
                continue
            if x not in waiting:
                waiting[x] = {}
                heappush(places, (-x.number, x))
            there = waiting[x]
            for path, part in parts.items():
                there[path] = propagated(node, position, part, x, there.get(path), size)
    return arrived, [*paths]


def _sum(parts: dict[int, Any]) -> Any:
    """The sum of gradients, each an array or, for an op of several outputs, a list of them."""
    first, *others = parts.values()
    if isinstance(first, list):
        return [sum(each[1:], each[0]) for each in zip(first, *others, strict=True)]
    return sum(others, first)


def propagated(
    node: Node, position: int, part: Any, to: Node, before: Any, size: int | None = None
) -> Any:
    """The gradient of `to`, an input of `node`, that follows from `part`, added to `before`.

    For an op of several outputs, `part` is a list with one gradient per output. `size`: the length
    of a leading axis that `part` has and the node does not.
    """
    leading = () if size is None else (size,)
    if node.output_index is not None:
        outputs = before
        if outputs is None:
            outputs = [zeros((*leading, *value.shape), value.dtype) for value in to._data]
        outputs[node.output_index] = outputs[node.output_index] + part
        return outputs
    assert node.op is not None and node.values is not None
    given = tuple(part) if isinstance(part, list) else part
    back = node.op.rule(position)(given, node._data, *node.values, **(node.attributes or {}))
    back = _unbroadcast_behind(back, node.values[position], leading)
    return back if before is None else before + back


def _unbroadcast_behind(grad: Any, like: Any, leading: tuple[int, ...]) -> Any:
    """`unbroadcast` for a gradient that has leading axes before those of the array."""
    if not leading:
        return unbroadcast(grad, like)
    shape = (*leading, *like.shape)
    if np.shape(grad) == shape and grad.dtype == like.dtype:
        return grad
    padded = (*leading, *(1,) * (np.ndim(grad) - len(shape)), *like.shape)
    return unbroadcast(grad, zeros(padded, like.dtype)).reshape(shape)
