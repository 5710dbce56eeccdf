"""How strongly the steps of a recurrent layer depend on one another, and by which paths.

There is one step between two neighbouring states. Its Jacobian follows from the ops in between, by
their own gradient rules. A dependence over several steps is a product of such Jacobians.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ...norms import norm
from ...tables import html_table
from .batched_steps import BatchedSteps, find_batched_steps
from .products import norms_of_products
from .propagation import propagated
from .recorded import Array, Model, numbered
from .transitions import Transitions, find_transitions

__all__ = ["Connectivity", "connectivity"]


@dataclass(repr=False)
class Connectivity:
    """How strongly each step's state depends on the steps before it, and by which paths.

    The state of a step is everything that it passes on to the next step, as one vector of n
    numbers. `slices`: where each state is in that vector, by name. `steps`: the steps in the order
    in which the layer runs them (a backward layer starts with the last); t, s and T count in this
    order.

    Arrays of size T * T, singular values and shares are computed on first access.

    `states` (T, T): the Frobenius norm of d state_t / d state_s, 0 above the diagonal, sqrt(n) on
    it. `inputs` (T, T): the norm of d state_t / d x_s, where x_s is the layer's input at step s;
    NaN if that is not a floating-point array (integer codes, for example) or is computed from
    earlier states. `state_norms`, `input_norms`: the same for each state by its name:
    `state_norms["h", "c"]` is d h_t / d c_s, and `input_norms["h"]` is d h_t / d x_s.

    `step_jacobians` (T - 1, n, n): d state_t+1 / d state_t. `product_jacobians`: their products, d
    state_T-1 / d state_t. `step_values`, `product_values` (T - 1, n): the singular values of both.

    `paths`: each step's Jacobian split by the path that the gradient takes, (T - 1, n, n) by name.
    A path is named after the first named intermediate (a gate) on the way from state_t to state_t+1
    or, if there is none, after the state that it follows. The parts sum to the Jacobian.
    `step_shares`: the share of each path in its step's Jacobian J, (T - 1,) by name: the inner
    product <part, J> / <J, J>. The shares of a step sum to 1. A share is negative where its path
    cancels part of the others; all are NaN where J is zero. `product_shares`: the shares in d
    state_T-1 / d state_t, by the path between t and t+1.

    >>> import tinygrad_rnn as tg
    >>> found = connectivity(tg.nn.LSTM(1, 2), tg.randn(4, 1, 1))
    >>> found.states.shape, found.step_values.shape
    ((4, 4), (3, 4))
    >>> list(found.paths)
    ['c', 'input gate', 'forget gate', 'candidate', 'output gate']
    """

    steps: list[int]
    slices: dict[str, slice]
    step_jacobians: Array
    product_jacobians: Array
    paths: dict[str, Array]
    shares: Callable[[], tuple[dict[str, Array], dict[str, Array]]]
    norms: Callable[[], tuple[dict[tuple[str, str], Array], dict[str, Array]]]

    @cached_property
    def state_norms(self) -> dict[tuple[str, str], Array]:
        """The norms of d state_t / d state_s, (T, T), by the names of both."""
        return self._norms[0]

    @cached_property
    def input_norms(self) -> dict[str, Array]:
        """The norms of d state_t / d x_s, (T, T), by the name of the state."""
        return self._norms[1]

    @cached_property
    def states(self) -> Array:
        """`state_norms` of all states together, (T, T)."""
        return reduce(np.hypot, self.state_norms.values())

    @cached_property
    def inputs(self) -> Array:
        """`input_norms` of all states together, (T, T)."""
        return reduce(np.hypot, self.input_norms.values())

    @cached_property
    def step_shares(self) -> dict[str, Array]:
        """The share of each path in its step's Jacobian, (T - 1,)."""
        return self._shares[0]

    @cached_property
    def product_shares(self) -> dict[str, Array]:
        """The share of each path in d last state / d state_t, (T - 1,)."""
        return self._shares[1]

    @cached_property
    def _shares(self) -> tuple[dict[str, Array], dict[str, Array]]:
        return self.shares()

    @cached_property
    def _norms(self) -> tuple[dict[tuple[str, str], Array], dict[str, Array]]:
        return self.norms()

    @cached_property
    def step_values(self) -> Array:
        """The singular values of each step's Jacobian, (T - 1, n)."""
        return np.linalg.svd(self.step_jacobians, compute_uv=False)

    @cached_property
    def product_values(self) -> Array:
        """The singular values of d last state / d state_t, (T - 1, n)."""
        return np.linalg.svd(self.product_jacobians, compute_uv=False)

    def __repr__(self) -> str:
        states = ", ".join(self.slices)
        return f"<connectivity over {len(self.steps)} steps of the state {states}>"

    def _repr_html_(self) -> str:
        """How much of each step is left at the end, as a table; `plot_connectivity` draws it."""
        head = ("step t", "‖∂ last state / ∂ state t‖", "largest singular value",
                *(f"by {name}" for name in self.product_shares))  # fmt: skip
        rows = [
            (str(step), f"{norm(self.product_jacobians[t]):.3g}",
             f"{self.product_values[t].max():.3g}",
             *(f"{share[t]:z.0%}" for share in self.product_shares.values()))
            for t, step in enumerate(self.steps[:-1])
        ]  # fmt: skip
        return html_table([head, *rows], right=range(1, len(head)), title=repr(self)[1:-1])


def connectivity(model: Model, x: Any, path: str | None = None) -> Connectivity:
    """The Jacobians between the steps of one recurrent layer.

    They take n * T backward passes over one step each, where n is the size of the layer's states
    together, and T * T / 2 products of n by n matrices. For a single layer or scan on one sequence
    these passes are rows of one batch; otherwise they run one by one over the unrolled run.

    `path`: the module path of the layer; it includes everything inside that layer. It may be
    omitted if there is only one layer. ValueError if there are several, or if no step passes a
    state on. For a cell, the state is whatever it returns as its state; for steps written without a
    cell, it is what one step takes from another.

    >>> import tinygrad_rnn as tg
    >>> def model(x):
    ...     for t in range(3):
    ...         with tg.scope("halve", step=t):
    ...             x = (x * 0.5).named("h")
    ...     return x
    >>> connectivity(model, tg.tensor([8.0], requires_grad=True)).states
    array([[1.  , 0.  , 0.  ],
           [0.5 , 1.  , 0.  ],
           [0.25, 0.5 , 1.  ]])
    """
    batched = find_batched_steps(model, x, path)
    if batched is not None:
        return _of_batch(batched)
    layer = _Layer(find_transitions(model, x, path))
    length, n = layer.length, layer.size
    steps = [layer.step(t) for t in range(length)]
    states = {(a, b): np.zeros((length, length)) for a in layer.slices for b in layer.slices}
    inputs = {a: np.full((length, length), 0.0 if layer.inputs else np.nan) for a in layer.slices}
    to_states: dict[int, Array] = {}
    for later in range(length):
        to_states, to_inputs = _products(steps, later, n)
        for a, rows in layer.slices.items():
            for earlier, jacobian in to_states.items():
                for b, columns in layer.slices.items():
                    states[a, b][later, earlier] = norm(jacobian[rows, columns])
            for i, jacobian in to_inputs.items():
                here = later, layer.inputs[i]
                inputs[a][here] = np.hypot(inputs[a][here], norm(jacobian[rows]))
    nothing = np.zeros((len(layer.names), n, n))
    parts = np.reshape(
        [steps[t + 1].states.get(t, nothing) for t in range(length - 1)], (-1, *nothing.shape)
    )
    ends = np.reshape(
        [_to_the_end(steps, to_states, t, nothing) for t in range(length - 1)],
        (-1, *nothing.shape),
    )
    return Connectivity(
        steps=layer.order,
        slices=layer.slices,
        step_jacobians=parts.sum(axis=1),
        product_jacobians=ends.sum(axis=1),
        paths=layer.by_path(parts),
        shares=lambda: (layer.by_path(_shares(parts)), layer.by_path(_shares(ends))),
        norms=lambda: (states, inputs),
    )


def _of_batch(found: BatchedSteps) -> Connectivity:
    """Connectivity from the Jacobians of steps that depend only on the step before."""
    parts = found.parts[1:]
    length, _, n, _ = found.parts.shape
    jacobians = np.zeros((length, n, n))
    for path in found.taken:
        jacobians += found.parts[:, path]
    products = np.empty((max(length - 1, 0), n, n))
    after = np.eye(n)  # d last state / d state after step t
    for t in reversed(range(length - 1)):
        after = np.matmul(after, jacobians[t + 1], out=products[t])

    def shares() -> tuple[dict[str, Array], dict[str, Array]]:
        after = np.concatenate([products[1:], np.eye(n)[None]])[: length - 1]
        return by_path(_shares(parts)), by_path(_shares(after[:, None] @ parts))

    def by_path(arrays: Array) -> dict[str, Array]:
        named: dict[str, Array] = {}
        for path in found.taken:
            named[numbered(found.names[path], named)] = arrays[:, path]
        return named

    return Connectivity(
        steps=found.order,
        slices=found.slices,
        step_jacobians=jacobians[1:],
        product_jacobians=products,
        paths=by_path(parts),
        shares=shares,
        norms=lambda: norms_of_products(found.slices, jacobians, found.inputs),
    )


@dataclass
class _Step:
    """The Jacobians of one step's state by its inputs, with no other state in between.

    `states`: by an earlier step's state, split by path, (paths, n, n), keyed by that step.
    `inputs`: by the cell's input, (n, m), keyed by its place in the graph.
    """

    states: dict[int, Array]
    inputs: dict[int, Array]


class _Layer:
    """The states of one recurrent layer in a recorded pass, and the paths between them.

    `names`: the paths; first the states, each for its own line, then the named intermediates.
    `starts`: for each named node, the number of the path that is named after it.
    """

    def __init__(self, found: Transitions) -> None:
        self.graph, self.order, self.slices = found.graph, found.order, found.slices
        self.length = len(self.order)
        self.made, self.given, self.inputs = found.made, found.given, found.inputs
        self.ranges = list(self.slices.values())
        self.size = self.ranges[-1].stop
        self.names = list(self.slices)
        self.leads: list[bool] = []  # of each node: whether it depends on a state or an input
        self.starts: dict[int, int] = {}
        numbers: dict[Hashable, int] = {}
        ends = self.given.keys() | self.inputs.keys()
        handed_on = ends | {i for step in self.made for i, _ in step}
        for i, node in enumerate(self.graph):
            self.leads.append(i in ends or any(self.leads[j] for j in node.inputs))
            key = found.path_of(i)
            if key is not None and self.leads[i] and i not in handed_on:
                if key not in numbers:
                    numbers[key] = len(self.names)
                    self.names.append(node.name or node.label)
                self.starts[i] = numbers[key]
        self.taken: set[int] = set()  # the paths that lead from a state to a state

    def step(self, t: int) -> _Step:
        """The Jacobians of the state of step `t`."""
        found = _Step({}, {})
        for i, number in self.made[t]:
            node, rows = self.graph[i], self.ranges[number]
            if not self.leads[i]:
                continue
            for row, weights in zip(range(rows.start, rows.stop), np.eye(rows.stop - rows.start)):
                weights = weights.reshape(node.shape or ()).astype(node.dtype)
                for end, parts in self._back(i, weights, t):
                    self._put(found, row, end, parts, t)
        return found

    def _put(self, found: _Step, row: int, end: int, parts: dict[int, Array], t: int) -> None:
        """Write the gradient that arrived at `end` into one row of its Jacobian."""
        if not self._is_state_before(end, t):
            total = sum(parts.values())
            if end not in found.inputs:
                found.inputs[end] = np.zeros((self.size, np.size(total)))
            found.inputs[end][row] += np.ravel(total)
            return
        step, own_line = self.given[end]
        columns = self.ranges[own_line]
        if step not in found.states:
            found.states[step] = np.zeros((len(self.names), self.size, self.size))
        for path, part in parts.items():
            path = own_line if path < 0 else path
            self.taken.add(path)
            found.states[step][path, row, columns] += np.ravel(part)

    def _back(self, start: int, weights: Array, t: int) -> Iterator[tuple[int, dict[int, Array]]]:
        """Propagate `weights` from a state of step `t` back to the inputs and the states before it.

        The gradient is kept split by path. The part that passes a named node continues as the path
        of that name, so a part is named after the last named node it passed going backward, which
        is the first in the order of time. -1: it has passed none.
        """
        waiting: dict[int, dict[int, Any]] = {start: {-1: weights}}
        places = [-start]
        while places:
            i = -heappop(places)
            node, parts = self.graph[i], waiting.pop(i)
            if i in self.inputs or self._is_state_before(i, t):
                yield i, parts
                continue
            if i in self.starts:
                parts = {self.starts[i]: sum(parts.values())}
            for position, j in enumerate(node.inputs):
                if not self.leads[j]:
                    continue
                if j not in waiting:
                    waiting[j] = {}
                    heappush(places, -j)
                there = waiting[j]
                for path, part in parts.items():
                    source, to = node.source, self.graph[j].source
                    assert source is not None and to is not None
                    there[path] = propagated(source, position, part, to, there.get(path))

    def _is_state_before(self, i: int, t: int) -> bool:
        """Whether node `i` is the state of a step other than `t`, as a later step receives it."""
        return i in self.given and self.given[i][0] != t

    def by_path(self, arrays: Array) -> dict[str, Array]:
        """Arrays (T - 1, paths, ...) by the paths' names, without paths that carry nothing."""
        found: dict[str, Array] = {}
        for number in sorted(self.taken):
            found[numbered(self.names[number], found)] = arrays[:, number]
        return found


def _products(
    steps: list[_Step], later: int, size: int
) -> tuple[dict[int, Array], dict[int, Array]]:
    """d state_later by each state before it, by step, and by each input, by place in the graph."""
    to_states: dict[int, Array] = {later: np.eye(size)}
    to_inputs: dict[int, Array] = {}
    for between in range(later, -1, -1):
        if between not in to_states:
            continue
        after = to_states[between]
        for earlier, parts in steps[between].states.items():
            to_states[earlier] = to_states.get(earlier, 0.0) + after @ parts.sum(axis=0)
        for i, jacobian in steps[between].inputs.items():
            to_inputs[i] = to_inputs.get(i, 0.0) + after @ jacobian
    return to_states, to_inputs


def _to_the_end(steps: list[_Step], to_states: dict[int, Array], t: int, nothing: Array) -> Array:
    """d state_T-1 / d state_t, split by the first path taken."""
    return sum(
        (
            to_states[m] @ step.states[t]
            for m, step in enumerate(steps)
            if t in step.states and m in to_states
        ),
        start=nothing,
    )


def _shares(parts: Array) -> Array:
    """(T - 1, paths): <part, J> / <J, J>, J the sum of the parts (T - 1, paths, n, n)."""
    whole = parts.sum(axis=1)
    largest = np.abs(whole).max(axis=(1, 2), initial=0.0)[:, None, None]
    scaled = np.divide(whole, largest, out=np.full_like(whole, np.nan), where=largest > 0)
    inner = np.einsum("tpij,tij->tp", parts / np.where(largest > 0, largest, 1)[:, None], scaled)
    return inner / np.einsum("tij,tij->t", scaled, scaled)[:, None]
