"""The claims of a cell, `Cell.claims`, as laws in addition to those of every cell."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import pytree
from ...engine.dtypes import is_floating
from ...engine.recording.mode import no_grad
from ...engine.tensor import from_numpy
from ..cells.network import Network
from ..cells.runs import Subject, seeded
from .law import Broken, Law

if TYPE_CHECKING:
    from ...nn.claims import Claim, Step

__all__ = ["claim_laws"]

_WARM_UP = 3
"""Steps from the initial state to the one at which a claim is checked."""

_FAR = (0.0, 1.0), (1.0, 1.0), (1.0, 10.0)
"""How far parameters are moved from their initial values, and how large inputs are."""


def claim_laws(subject: Subject) -> list[Law]:
    """A law for each of the cell's claims."""
    return [
        Law(claim.name, claim.says, partial(_check, claim), ((20, 4),))
        for claim in subject.network.cell.claims
    ]


def _check(claim: Claim, subject: Subject, steps: int, rows: int) -> None:
    for distance, size in _FAR:
        cell = subject.fresh(subject.seed).cell  # also for a layer: its cells are of one kind
        rng = np.random.default_rng(subject.seed)
        for parameter in cell.parameters():
            parameter._data += distance * rng.uniform(-1, 1, parameter.shape)
        x = subject.x(rng, steps, rows)
        x = size * x if is_floating(x) else x
        network = subject.alone(cell)
        start = network.start(rows)
        step = _step(network, start, subject.seed)
        state = [leaf._data for leaf in pytree.leaves(start)]
        for x_t in x[:_WARM_UP]:
            state = step(x_t, state)
        seen = claim.counterexample(step, x, state)
        if seen is not None:
            raise Broken(seen)


def _step(network: Network, like: Any, seed: int) -> Step:
    """One step on arrays: x_t and the leaves of the state -> those of the next state."""

    def step(x: Any, leaves: list[Any]) -> list[Any]:
        with no_grad(), seeded(seed):
            state = pytree.unflatten(like, [from_numpy(np.array(leaf)) for leaf in leaves])
            _, after = network.run(from_numpy(x[None]), state, unrolled=True)
        return [leaf._data for leaf in pytree.leaves(after)]

    return step
