"""Which nodes of a recorded pass are the states and the inputs of a layer's steps.

In a layer made of cells, each call of a cell is observed, and the cell receives its own copies of x
and of the state. So each leaf of each step's state is a separate node, even if a cell returns its
input as its state, the same Tensor twice, or a Tensor that it never changes.

For steps written without a cell, inside `with tg.scope("name", step=t):`, the states are found in
the graph: a value that an op of one step takes from another step is a state.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import ops, pytree
from ...engine.dtypes import is_floating
from ...engine.recording.mode import current_mode, enable_grad
from ...engine.tensor import Tensor, from_numpy
from ...graph import Graph
from ...nn.recurrent.cell import Cell, observed
from ..model.run import run_unrolled
from .recorded import Model, Recorded, numbered

__all__ = ["Transitions", "find_transitions"]


@dataclass
class Transitions:
    """The states and inputs of a layer's steps, counted in the order in which the steps are run.

    `order`: the number of each step in time. `slices`: where each state is in the vector of all of
    them, by name. `made`: for each step, the nodes of its states, with each one's place among the
    states. `given`: for each node through which a state reaches later steps, the step of that state
    and its place. `inputs`: for each node that a step receives as x, the step. `path_of`: for a
    named intermediate, a key that is the same at every step; None for other nodes.
    """

    graph: Graph
    order: list[int]
    slices: dict[str, slice]
    made: list[list[tuple[int, int]]]
    given: dict[int, tuple[int, int]]
    inputs: dict[int, int]
    path_of: Callable[[int], Hashable | None]


def find_transitions(model: Model, x: Any, path: str | None) -> Transitions:
    """Run `model(x)` step by step and find the states of the layer at `path`."""
    if isinstance(x, np.ndarray | Tensor) and x.dtype.kind == "f":
        whole = from_numpy(x) if isinstance(x, np.ndarray) else x
        x = whole if whole.requires_grad else whole.detach().requires_grad_()
    calls = _Calls()
    with observed(calls), enable_grad():
        result = run_unrolled(model, x)
    if calls.found:
        return _of_calls(_chosen(calls.found, path))
    return _of_graph(Recorded(lambda _: result, x, None), path)


# From the calls of cells


@dataclass
class _Call:
    """One call of a cell: the nodes numbered from `start` on were made in it or after it.

    `before`: the floating leaves of the state as they arrived. `state`: the copies of them that the
    cell was given, None for a leaf that no gradient reaches. `after`: the leaves of the next state.
    """

    step: int | None
    start: int
    x: Tensor
    before: list[Tensor]
    state: list[Tensor | None]
    after: list[Tensor] = field(default_factory=list)


class _Calls:
    """An observer of cells that keeps each call, by the cell's path."""

    def __init__(self) -> None:
        self.found: dict[str, list[_Call]] = defaultdict(list)

    def __call__(self, cell: Cell, step: Callable[[Any, Any], Any], x: Any, state: Any) -> Any:
        scope = current_mode().scope
        outer = "" if scope is None else scope.path
        name = cell._name or type(cell).__name__
        calls = self.found[f"{outer}.{name}" if outer else name]
        # The first state starts the sequence; a later one without history was detached.
        first = not calls
        copies = pytree.map(lambda leaf: _copy(leaf) if first else _copy_of_recorded(leaf), state)
        x = _copy(x if isinstance(x, Tensor) else ops.astype(x, dtype=np.asarray(x).dtype))
        call = _Call(
            step=None if scope is None else scope.step,
            start=x.number,
            x=x,
            before=_floating(state),
            state=[leaf if leaf.requires_grad else None for leaf in _floating(copies)],
        )
        calls.append(call)
        output, new = step(x, copies)
        call.after = _floating(new)
        return output, new


def _copy(leaf: Any) -> Any:
    """The same values as a new node through which gradients flow."""
    if not isinstance(leaf, Tensor) or not is_floating(leaf._data):
        return leaf
    return _copy_of_recorded(leaf) if leaf.requires_grad else leaf.detach().requires_grad_()


def _copy_of_recorded(leaf: Any) -> Any:
    return ops.copy(leaf) if isinstance(leaf, Tensor) and leaf.requires_grad else leaf


def _floating(state: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.leaves(state) if is_floating(getattr(leaf, "_data", None))]


def _chosen(found: dict[str, list[_Call]], path: str | None) -> list[list[_Call]]:
    """The calls of the outermost cells at `path` or inside it, cell by cell."""
    outermost = [p for p in found if not any(is_inside(p, q) for q in found if q != p)]
    if path is None and len(outermost) == 1:
        path = outermost[0]
    inside = [p for p in found if is_inside(p, path)]
    chosen = [p for p in inside if not any(is_inside(p, q) for q in inside if q != p)]
    if not chosen:
        raise ValueError(f"connectivity needs one of the paths {sorted(outermost)}; got {path!r}")
    orders = {p: [call.step for call in found[p]] for p in chosen}
    for p, order in orders.items():
        if len(set(order)) != len(order) and None not in order:
            raise ValueError(f"connectivity needs a single run, but {p!r} runs more than once")
        if order != orders[chosen[0]]:
            raise ValueError(
                f"connectivity of {path!r}: {p!r} and {chosen[0]!r} in it run different steps, or "
                "run them in another order; give the path of one of them"
            )
    return [found[p] for p in chosen]


def _of_calls(cells: list[list[_Call]]) -> Transitions:
    made_by_step = [
        [leaf for calls in cells for leaf in _state_after(calls, t)] for t in range(len(cells[0]))
    ]
    graph = Graph.of(*(leaf for leaves in made_by_step for leaf in leaves))
    place = {node.source.number: node.index for node in graph if node.source is not None}
    given: dict[int, tuple[int, int]] = {}
    inputs: dict[int, int] = {}
    offset = 0
    for calls in cells:
        for t, call in enumerate(calls):
            if call.x.number in place:
                inputs[place[call.x.number]] = t
            for number, leaf in enumerate(call.state, start=offset):
                if t and leaf is not None and leaf.number in place:
                    given[place[leaf.number]] = t - 1, number
        offset += len(calls[0].state)
    for t, leaves in enumerate(
        made_by_step
    ):  # for what a state receives other than through the cell's own copy
        for number, leaf in enumerate(leaves):
            given.setdefault(place[leaf.number], (t, number))
    fed_back = _behind(graph, given)
    inputs = {i: t for i, t in inputs.items() if not fed_back[i]}
    slices: dict[str, slice] = {}
    end = 0
    xs = {call.x.number for calls in cells for call in calls}
    for leaf in made_by_step[-1]:
        title = "x" if leaf.number in xs else leaf.name or (leaf.op.name if leaf.op else "state")
        slices[numbered(title, slices)] = slice(end, end := end + leaf.size)
    order = [t if call.step is None else call.step for t, call in enumerate(cells[0])]
    return Transitions(
        graph,
        order,
        slices,
        made=[[(place[leaf.number], n) for n, leaf in enumerate(step)] for step in made_by_step],
        given=given,
        inputs=inputs,
        path_of=_named_in_calls(graph, sorted(call.start for calls in cells for call in calls)),
    )


def _state_after(calls: list[_Call], t: int) -> list[Tensor]:
    """The state of step `t` as the next step received it; if it is detached there, as made."""
    made = calls[t].after
    if t + 1 == len(calls):
        return made
    return [now if now.requires_grad else m for now, m in zip(calls[t + 1].before, made)]


def _behind(graph: Graph, ends: dict[int, Any]) -> list[bool]:
    """For each node, whether it depends on one of `ends`."""
    found: list[bool] = []
    for node in graph:
        found.append(any(found[i] or i in ends for i in node.inputs))
    return found


def _named_in_calls(graph: Graph, starts: list[int]) -> Callable[[int], Hashable | None]:
    """Named nodes by path, name and the position among the nodes of that name in its call."""
    counts: dict[Hashable, int] = defaultdict(int)
    keys: dict[int, Hashable] = {}
    for node in graph:
        if node.op is not None and node.name and node.source is not None:
            call = bisect_right(starts, node.source.number)
            counts[call, node.path, node.name] += 1
            keys[node.index] = node.path, node.name, counts[call, node.path, node.name]
    return keys.get


# From the graph, for steps without cells


def _of_graph(run: Recorded, path: str | None) -> Transitions:
    graph = run.graph
    carried = run.states()
    if not carried:
        raise ValueError("connectivity needs steps that pass a state on; this model has none")
    homes = {run.title(key)[0] for key in carried}
    roots = sorted(p for p in homes if not any(is_inside(p, q) for q in homes if q != p))
    if path is None and len(roots) == 1:
        path = roots[0]
    states = [key for key in carried if is_inside(run.title(key)[0], path)]
    if not states:
        raise ValueError(f"connectivity needs one of the paths {roots}; got {path!r}")
    way = 1 if carried[states[0]] > 0 else -1
    order = list(range(run.steps)[::way])
    step_of = {column: t for t, column in enumerate(order)}
    slices: dict[str, slice] = {}
    made: list[list[tuple[int, int]]] = [[] for _ in order]
    end = 0
    for number, key in enumerate(states):
        places = run.places[key]
        width = int(np.size(graph[min(places.values())].value))
        slices[numbered(run.title(key)[1], slices)] = slice(end, end := end + width)
        for column, i in places.items():
            made[step_of[column]].append((i, number))
    inputs = {
        i: step_of[column]
        for row in run.unrolled.rows.values()
        if row.kind == "input" and is_inside(row.path, path)
        for column, members in row.members.items()
        if column >= 0
        for i in members
        if graph[i].requires_grad
    }

    def path_of(i: int) -> Hashable | None:
        node = graph[i]
        return run.key(i) if node.op is not None and node.name else None

    given = {i: (t, number) for t, step in enumerate(made) for i, number in step}
    return Transitions(graph, order, slices, made, given, inputs, path_of)


def is_inside(path: str, layer: str | None) -> bool:
    """Whether a module path is that of `layer`, or of something inside it."""
    return layer is not None and (path == layer or path.startswith(f"{layer}."))
