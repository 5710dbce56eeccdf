"""Looking into the gradient: functions that return plain arrays, for any model made of ops.

Each runs `model(x)` once and reads the recorded graph; which state, gate and parameter there are
follows from it. `loss` is as in `bptt`: a function of what the model returns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.autograd import propagate
from ..engine.tensor import Tensor
from ..graph import Graph
from .flow import Flow, norm, weights_of
from .picture import run_unrolled, scalar_of
from .unrolled import Unrolled

__all__ = ["Connectivity", "connectivity", "gates", "gradient_flow", "ledger"]

Array = Any
Model = Callable[..., Any]
Loss = Callable[[Any], Tensor] | None


class _Run:
    """A model's recorded pass, unrolled, and the gradient of its loss."""

    def __init__(self, model: Model, x: Any, loss: Loss) -> None:
        scalar = scalar_of(run_unrolled(model, x), loss)
        self.graph = Graph.of(scalar, inputs=[x] if isinstance(x, Tensor) else [])
        if not self.graph.steps:
            raise ValueError(
                "the model records no time steps: run a recurrent layer with unroll=True, or mark "
                "the steps of your own loop with `with tg.scope('name', step=t):`"
            )
        self.unrolled = Unrolled(self.graph).build()
        self.flow = Flow(self.graph, weights_of([scalar]))
        self.steps = len(self.unrolled.steps)
        self.places: dict[Hashable, dict[int, int]] = defaultdict(dict)
        for key, column, node in zip(self.unrolled.keys, self.unrolled.column_of, self.graph):
            if column >= 0 and node.op is not None:
                self.places[key][column] = node.index

    def states(self) -> dict[Hashable, list[Any]]:
        """The links that carry each state over, by the key of the state."""
        found: dict[Hashable, list[Any]] = defaultdict(list)
        for link in self.unrolled.links.values():
            if link.delta and link.value in self.places:
                found[link.value].append(link)
        return found

    def title(self, key: Hashable) -> tuple[str, str]:
        """Module path and name of a row."""
        node = self.graph[next(iter(self.places[key].values()))]
        return node.path, node.name or node.label


def gradient_flow(model: Model, x: Any, loss: Loss = None) -> dict[str, dict[str, Array]]:
    """The norm of dL/dh_t, dL/dc_t, ... at every step: by module path, then by state, (T,).

    NaN where no gradient arrives. What counts as a state is what one step hands to another.
    ValueError if the model records no time steps.

    >>> import tinygrad_rnn as tg
    >>> def model(x):
    ...     for t in range(3):
    ...         with tg.scope("halve", step=t):
    ...             x = (x * 0.5).named("h")
    ...     return x
    >>> gradient_flow(model, tg.tensor([1.0], requires_grad=True))["halve"]["h"]
    array([0.25, 0.5 , 1.  ])
    """
    run = _Run(model, x, loss)
    found: dict[str, dict[str, Array]] = {}
    for key in run.states():
        path, name = run.title(key)
        norms = np.full(run.steps, np.nan)
        for column, i in run.places[key].items():
            gradient = run.flow.at(i)
            if gradient is not None:
                norms[column] = norm(gradient)
        _put(found, path, name, norms)
    return found


def gates(model: Model, x: Any, loss: Loss = None) -> dict[str, dict[str, Array]]:
    """Every intermediate that has a name, over time: by module path, then by name, (T, ...).

    Steps that lack it are NaN.

    >>> import tinygrad_rnn as tg
    >>> def model(x):
    ...     for t in range(3):
    ...         with tg.scope("halve", step=t):
    ...             x = (x * 0.5).named("h")
    ...     return x
    >>> gates(model, tg.tensor([8.0], requires_grad=True))["halve"]["h"][:, 0]
    array([4., 2., 1.])
    """
    run = _Run(model, x, loss)
    found: dict[str, dict[str, Array]] = {}
    for columns in run.places.values():
        first = run.graph[next(iter(columns.values()))]
        if first.name is None or first.shape is None:
            continue
        values = np.full((run.steps, *first.shape), np.nan)
        for column, i in columns.items():
            if run.graph[i].shape == first.shape:
                values[column] = run.graph[i].value
        _put(found, first.path, first.name, values)
    return found


def _put(found: dict[str, dict[str, Array]], path: str, name: str, values: Array) -> None:
    names = found.setdefault(path, {})
    number = 2
    unique = name
    while unique in names:
        unique, number = f"{name} {number}", number + 1
    names[unique] = values


def ledger(model: Model, x: Any, loss: Loss = None) -> dict[str, dict[int | None, Array]]:
    """dL/dW for each parameter, split by the time step in which it was used.

    By the parameter's name, then by step (None: outside of all steps); the parts sum to `W.grad`.
    A weight that is transposed, or otherwise prepared, once for all steps is split all the same:
    each step's part is led back through the preparation by the ops' own gradient rules.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.RNN(1, 1, bias=False)
    >>> parts = ledger(layer, tg.ones(3, 1, 1))["weight_hh_l0"]
    >>> sorted(parts)  # each step used it; the first with h = 0
    [0, 1, 2]
    >>> parts[0]
    array([[0.]], dtype=float32)
    """
    run = _Run(model, x, loss)
    graph, column_of = run.graph, run.unrolled.column_of
    parts: dict[int, dict[int | None, Array]] = defaultdict(dict)

    def add(i: int, step: int | None, grad: Array) -> None:
        parts[i][step] = parts[i][step] + grad if step in parts[i] else grad

    for i, prepared in enumerate(run.unrolled.only_parameters):
        if not prepared or not graph[i].requires_grad:
            continue
        for target, _, grad in run.flow.parts(i):
            if not run.unrolled.only_parameters[target]:
                column = column_of[target]
                add(i, run.unrolled.steps[column] if column >= 0 else None, grad)
    for node in reversed(graph.nodes):
        if node.op is None or node.index not in parts:
            continue
        assert node.source is not None
        for step, grad in parts.pop(node.index).items():
            leaves = [graph[i] for i in node.inputs if graph[i].requires_grad]
            sources = [leaf.source for leaf in leaves if leaf.source is not None]
            back = propagate([node.source], [grad], wanted=sources, retain_graph=True)
            for leaf in leaves:
                if leaf.source in back:
                    add(leaf.index, step, back[leaf.source])
    return {graph[i].label: by_step for i, by_step in sorted(parts.items())}


@dataclass
class Connectivity:
    """How strongly each step's state, and each output, depends on the steps before it.

    The state of a step is all that it hands to the next, as one vector of n numbers.
    `states` (T, T): the Frobenius norm of d state_t / d state_s, 0 above the diagonal, sqrt(n)
    on it. `inputs` (T, T): that of d state_t / d x_s, NaN if the inputs record no gradient.
    `step_values` (T - 1, n): the singular values of each step's Jacobian, d state_t+1 / d state_t.
    `product_values` (T - 1, n): those of the products, d state_T-1 / d state_t.

    >>> import tinygrad_rnn as tg
    >>> found = connectivity(tg.nn.LSTM(1, 2), tg.randn(4, 1, 1))
    >>> found.states.shape, found.step_values.shape
    ((4, 4), (3, 4))
    """

    states: Array
    inputs: Array
    step_values: Array
    product_values: Array


def connectivity(model: Model, x: Any, path: str | None = None) -> Connectivity:
    """The Jacobians between the steps of one recurrent layer.

    Found by n * T backward passes, n the size of the layer's states together: for a short
    sequence, a batch of one and a small cell. `path`: the module path of the layer; may be left
    out if there is but one. ValueError if there are others.

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
    run = _Run(model, x, None)
    carried = {k: v for k, v in run.states().items() if path in (None, run.title(k)[0])}
    paths = {run.title(key)[0] for key in carried}
    if len(paths) != 1:
        known = sorted({run.title(key)[0] for key in run.states()})
        raise ValueError(f"connectivity needs one of the paths {known}; got {path!r}")
    reach = next(iter(carried.values()))[0].delta
    order = list(range(run.steps))[:: 1 if reach > 0 else -1]
    widths = [np.size(run.graph[next(iter(run.places[k].values()))].value) for k in carried]
    n = sum(widths)
    jacobians = np.zeros((run.steps, run.steps, n, n))
    inputs = np.full((run.steps, run.steps), np.nan)
    for later in range(run.steps):
        squares = np.zeros(run.steps)
        row = 0
        for key, width in zip(carried, widths):
            i = run.places[key].get(order[later])
            for element in range(width if i is not None else 0):
                assert i is not None
                seed = np.zeros(width)
                seed[element] = 1
                node = run.graph[i]
                part = Graph(run.graph.nodes, [i])
                flow = Flow(part, [seed.reshape(node.shape or ()).astype(node.dtype)])
                for earlier in range(later):
                    jacobians[later, earlier, row] = _state_gradient(
                        run, flow, carried, widths, order[earlier]
                    )
                for earlier, square in _input_squares(run, flow, paths).items():
                    squares[order.index(earlier)] += square
                row += 1
        jacobians[later, later] = np.eye(n)
        if squares.any():
            inputs[later] = np.sqrt(squares)
    values = np.linalg.svd(jacobians, compute_uv=False)
    near = np.arange(run.steps - 1)
    return Connectivity(
        np.sqrt((jacobians**2).sum(axis=(2, 3))), inputs, values[near + 1, near], values[-1, :-1]
    )


def _state_gradient(
    run: _Run, flow: Flow, carried: dict[Hashable, list[Any]], widths: list[int], column: int
) -> Array:
    """What arrives at the states handed over by `column`, from later steps alone, as a vector."""
    found = []
    for links, width in zip(carried.values(), widths):
        edges = {edge for link in links for edge in link.edges.get(column + link.delta, ())}
        parts = [
            np.ravel(grad)
            for source in {edge[0] for edge in edges}
            for target, position, grad in flow.parts(source)
            if (source, target, position) in edges
        ]
        found.append(np.sum(parts, axis=0) if parts else np.zeros(width))
    return np.concatenate(found)


def _input_squares(run: _Run, flow: Flow, paths: set[str]) -> dict[int, float]:
    """The squared norm of the gradient of what each step was given, by column."""
    squares: dict[int, float] = defaultdict(float)
    for row in run.unrolled.rows.values():
        if row.kind == "input" and row.path in paths:
            for column, members in row.members.items():
                gradient = flow.at(members[-1])
                if gradient is not None and column >= 0:
                    squares[column] += norm(gradient) ** 2
    return squares
