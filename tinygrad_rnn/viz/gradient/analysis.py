"""Functions that look into the gradient and return plain arrays, for any model made of ops.

Each runs `model(x)` once. `gradient_flow` and `gates` observe it (`tg.observe`), so that layers and
scans run compiled; `ledger` reads the graph of the unrolled run. `loss` is as in `bptt`: a function
of what the model returns.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ...compiler.observation import observe
from ...engine.autograd import propagate
from ...graph import Graph
from ...norms import norm, norms_of_rows
from ..model.run import scalar_of
from .recorded import NO_STEPS, Array, Loss, Model, Recorded, numbered

__all__ = ["gates", "gradient_flow", "ledger"]


def gradient_flow(model: Model, x: Any, loss: Loss = None) -> dict[str, dict[str, Array]]:
    """The norm of dL/dh_t, dL/dc_t, ... at every step: by module path, then by state, (T,).

    Zero where the gradient has vanished. NaN at steps that the loss does not depend on, where no
    gradient can arrive. A state is what one step passes on to another. ValueError if the model
    records no time steps.

    >>> import tinygrad_rnn as tg
    >>> def model(x):
    ...     for t in range(3):
    ...         with tg.scope("halve", step=t):
    ...             x = (x * 0.5).named("h")
    ...     return x
    >>> gradient_flow(model, tg.tensor([1.0], requires_grad=True))["halve"]["h"]
    array([0.25, 0.5 , 1.  ])
    """
    with observe(states_only=True) as seen:
        scalar = scalar_of(model(x), loss)
    paths = list(dict.fromkeys(value.path for _, value in seen.calls()))
    states = sorted((v for _, v in seen.calls()), key=lambda v: (paths.index(v.path), v.leaf))
    found: dict[str, dict[str, Array]] = {}
    loops = bool(Graph.of(scalar).steps)
    if not loops and not seen.runs:
        raise ValueError(NO_STEPS)
    if loops:  # loops that are not scans: a state is what a step takes from another
        run = Recorded(lambda _: scalar, x, None)
        for key in run.states():
            path, name = run.title(key)
            if path in paths:
                continue
            norms = np.full(run.steps, np.nan)
            for column, i in run.places[key].items():
                gradient = run.flow.at(i)
                if gradient is not None:
                    norms[column] = norm(gradient)
            _put(found, path, name, norms)
    seen.differentiate(scalar)
    for value in states:
        if value.data.dtype.kind == "f":
            norms = norms_of_rows(np.zeros(value.shape) if value.grad is None else value.grad.data)
            _put(found, value.path, value.name, np.where(value.reached(scalar), norms, np.nan))
    return found


def gates(model: Model, x: Any, loss: Loss = None) -> dict[str, dict[str, Array]]:
    """Every named intermediate over time: by module path, then by name, (T, ...).

    NaN at steps that do not compute it.

    >>> import tinygrad_rnn as tg
    >>> def model(x):
    ...     for t in range(3):
    ...         with tg.scope("halve", step=t):
    ...             x = (x * 0.5).named("h")
    ...     return x
    >>> gates(model, tg.tensor([8.0], requires_grad=True))["halve"]["h"][:, 0]
    array([4., 2., 1.])
    """
    with observe() as seen:
        model(x)
    values = [value for _, value in seen.calls() if value.steps is not None]
    steps = sorted({t for value in values for t in value.steps or ()})
    if not steps and not seen.runs:
        raise ValueError(NO_STEPS)
    found: dict[str, dict[str, Array]] = {}
    for value in values:
        data = value.data
        of_all = np.full((len(steps), *data.shape[1:]), np.nan)
        of_all[np.searchsorted(steps, value.steps or [])] = data
        _put(found, value.path, value.name, of_all)
    return found


def _put(found: dict[str, dict[str, Array]], path: str, name: str, values: Array) -> None:
    names = found.setdefault(path, {})
    names[numbered(name, names)] = values


def ledger(model: Model, x: Any, loss: Loss = None) -> dict[str, dict[int | None, Array]]:
    """dL/dW of each parameter, split by the time step in which the parameter was used.

    Keyed by the parameter's name, then by step (None: outside all steps); the parts sum to
    `W.grad`. A weight that is transposed or otherwise prepared once for all steps is split as well:
    each step's part is propagated back through the preparation by the ops' own gradient rules.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.RNN(1, 1, bias=False)
    >>> parts = ledger(layer, tg.ones(3, 1, 1))["weight_hh_l0"]
    >>> sorted(parts)  # each step used it; the first with h = 0
    [0, 1, 2]
    >>> parts[0]
    array([[0.]], dtype=float32)
    """
    run = Recorded(model, x, loss)
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
            # Skip the selection of one of several outputs: continue with the inputs of the op.
            made_of = node.inputs if node.selects is None else graph[node.inputs[0]].inputs
            leaves = [graph[i] for i in made_of if graph[i].requires_grad]
            sources = [leaf.source for leaf in leaves if leaf.source is not None]
            back = propagate([node.source], [grad], wanted=sources, retain_graph=True)
            for leaf in leaves:
                if leaf.source in back:
                    add(leaf.index, step, back[leaf.source])
    return {graph[i].label: by_step for i, by_step in sorted(parts.items())}
