"""The graph of a long sequence without what a folded picture does not show.

One lean pass walks the whole history. The steps that are drawn are kept whole; of those between
them only what one step hands to another, so that the course of each state stays complete.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ..engine.node import Node
from ..engine.tensor import Tensor
from ..graph import Graph

__all__ = ["LONG", "folded_graph", "kept_steps", "no_collection"]

LONG = 200  # steps from which the graph itself is folded


def kept_steps(steps: Sequence[int], shown: int) -> set[int]:
    """The first and last steps, `shown` in all, and one more at each side of the fold.

    >>> sorted(kept_steps(range(10), 4))
    [0, 1, 2, 7, 8, 9]
    """
    first = math.ceil(max(shown, 2) / 2)
    rest = max(shown, 2) - first
    return {*steps[: first + 1], *steps[len(steps) - rest - 1 :]}


def folded_graph(outputs: Sequence[Tensor], inputs: Sequence[Tensor], shown: int | None) -> Graph:
    """The history of `outputs` as a Graph; of a long one, only what `shown` steps need.

    As `Graph.of`, which it is for fewer than `LONG` steps or `shown` None. Nodes of the steps left
    out that are kept for their value alone are in `Graph.folded`; they have no inputs.
    """
    if shown is None:
        return Graph.of(*outputs, inputs=inputs)
    nodes, handed = _walk(outputs, {})
    steps = sorted({step for node in handed if (step := _step(node)) is not None})
    if len(steps) < max(LONG, shown + 3):
        return Graph.of(*outputs, inputs=inputs)
    kept = kept_steps(steps, shown)
    folded = {node.number: node for node in handed if _step(node) not in (None, *kept)}
    for node in list(folded.values()):
        assert node.op is not None and node.inputs is not None
        if node.op.selects:
            folded[node.inputs[0].number] = node.inputs[0]
    ops_of_steps = [node for node in nodes if node.scope is not None and node.scope.step in kept]
    whole, _ = _walk([*outputs, *ops_of_steps], folded)
    return Graph.folding(outputs, inputs, whole, folded)


@contextmanager
def no_collection() -> Iterator[None]:
    """Inside, Python does not look for reference cycles: among millions of nodes it takes seconds.

    >>> with no_collection():
    ...     gc.isenabled()
    False
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _walk(outputs: Sequence[Node], border: Mapping[int, Node]) -> tuple[list[Node], list[Node]]:
    """All nodes up to the `border`; and the outputs and what one step hands to another.

    The loop makes no objects but list entries: a history may have millions of nodes.
    """
    nodes: list[Node] = []
    handed: list[Node] = list(outputs)
    seen = {*border, *(node.number for node in outputs)}
    to_visit: list[Node] = [node for node in outputs if node.number not in border]
    while to_visit:
        node = to_visit.pop()
        nodes.append(node)
        if node.op is None or node.inputs is None:
            continue
        scope = node.scope
        for x in node.inputs:
            if isinstance(x, Node):
                if x.scope is not scope and x.op is not None and _step(x) != _step(node):
                    handed.append(x)
                if x.number not in seen:
                    seen.add(x.number)
                    to_visit.append(x)
    return nodes, handed


def _step(node: Node) -> int | None:
    return node.scope.step if node.scope is not None else None
