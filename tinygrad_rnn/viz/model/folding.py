"""The graph of a long sequence, without the nodes that a folded picture does not show.

One cheap pass visits the whole history. Steps that are drawn are kept completely. Of the steps
between, only the values that one step passes to another are kept, so that the line of each state
stays complete.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...engine.recording.node import Node
from ...engine.tensor import Tensor
from ...graph import Graph

__all__ = ["LONG", "folded_graph", "kept_steps"]

LONG = 200  # steps from which the graph itself is folded


def kept_steps(steps: Sequence[int], shown: int) -> set[int]:
    """The first and last steps, `shown` in all, and one more on each side of the fold.

    >>> sorted(kept_steps(range(10), 4))
    [0, 1, 2, 7, 8, 9]
    """
    first = math.ceil(max(shown, 2) / 2)
    rest = max(shown, 2) - first
    return {*steps[: first + 1], *steps[len(steps) - rest - 1 :]}


def folded_graph(outputs: Sequence[Tensor], inputs: Sequence[Tensor], shown: int | None) -> Graph:
    """The history of `outputs` as a Graph; of a long one, only what `shown` steps need.

    Equal to `Graph.of` for fewer than `LONG` steps or if `shown` is None. Nodes of omitted steps
    that are kept for their value alone are in `Graph.folded`; they have no inputs.
    """
    if shown is None:
        return Graph.of(*outputs, inputs=inputs)
    passed_on = _passed_on(outputs)
    steps = sorted({step for _, step in passed_on.values() if step is not None})
    if len(steps) < max(LONG, shown + 3):
        return Graph.of(*outputs, inputs=inputs)
    kept = {None, *kept_steps(steps, shown)}
    folded = {number: node for number, (node, step) in passed_on.items() if step not in kept}
    for node in list(folded.values()):
        assert node.op is not None and node.inputs is not None
        if node.output_index is not None:
            folded[node.inputs[0].number] = node.inputs[0]
    starts = [node for node, step in passed_on.values() if step is not None and step in kept]
    return Graph.folding(outputs, inputs, _up_to(folded, [*outputs, *starts]), folded)


def _passed_on(outputs: Sequence[Node]) -> dict[int, tuple[Node, int | None]]:
    """The outputs and everything that one step passes on to another, each with its step, by number.

    The loop makes as few objects as it can: a history may have millions of nodes.
    """
    found = {node.number: (node, _step(node)) for node in outputs}
    seen = {node.number for node in outputs}
    to_visit: list[Node] = list(outputs)
    while to_visit:
        node = to_visit.pop()
        if node.op is None or node.inputs is None:
            continue
        scope = node.scope
        step = None if scope is None else scope.step
        for x in node.inputs:
            if isinstance(x, Node):
                its = x.scope
                if its is not scope and x.op is not None:
                    its_step = None if its is None else its.step
                    if its_step != step:
                        found[x.number] = (x, its_step)
                number = x.number
                if number not in seen:
                    seen.add(number)
                    to_visit.append(x)
    return found


def _up_to(border: Mapping[int, Node], starts: Sequence[Node]) -> list[Node]:
    """What `starts` depend on, themselves included, up to the `border`."""
    found: dict[int, Node] = {}
    to_visit = list(starts)
    while to_visit:
        node = to_visit.pop()
        if node.number not in found and node.number not in border:
            found[node.number] = node
            to_visit += [x for x in node.inputs or () if isinstance(x, Node)]
    return list(found.values())


def _step(node: Node) -> int | None:
    return node.scope.step if node.scope is not None else None
