"""Functions that analyse the gradient and return plain arrays, for any model made of ops.

Each runs `model(x)` once and observes it (`tg.observe`), so that layers and scans run compiled.
`loss` is as in `bptt`: a function of what the model returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...compiler.observation import observe
from ...graph import Graph
from ...norms import norm, norms_of_rows
from ..model.run import scalar_of
from .recorded import NO_STEPS, Array, Loss, Model, Recorded, numbered

__all__ = ["gates", "gradient_flow"]


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
