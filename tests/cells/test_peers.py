"""Published cells against torchrecurrent, values and gradients, where it computes what papers say.

Where it does not, the difference is named here and in the cell's docstring; that it is still there
is checked, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cells, pytree

from .examples import NAMES, example

torch = pytest.importorskip("torch", reason="needs torch")
torchrecurrent = pytest.importorskip("torchrecurrent", reason="needs torchrecurrent")


@dataclass
class Peer:
    """How torchrecurrent's cell of the same name is made like ours."""

    settings: dict[str, object] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # ours by theirs, where they differ
    differs: str = ""  # what it computes otherwise than the paper


SAME_SETTINGS = ("dt", "gamma", "epsilon", "alpha", "beta")

PEERS = {
    "FastGRNNCell": Peer({"nonlinearity": "sigmoid"}),
    "IndRNNCell": Peer({"nonlinearity": "relu"}, {"vector_u": "weight_hh"}),
    "MinimalRNNCell": Peer(names={"weight_mm": "weight_zh"}),
    "LEMCell": Peer(differs="the last equation reads z_{t-1}, the paper's z_t"),
}


def _difference(name: str) -> float:
    """The largest difference in the next state's leaves and in gradients of all there is."""
    cell, x, state = example(name)
    peer = PEERS.get(name, Peer())
    settings = {
        s: getattr(cell, s) for s in SAME_SETTINGS if isinstance(getattr(cell, s, 0), float)
    }
    settings |= peer.settings
    other = getattr(torchrecurrent, name)(cell.input_size, cell.hidden_size, **settings).double()
    own = dict(cell.named_parameters())
    pairs = {}
    with torch.no_grad():
        for theirs, parameter in other.named_parameters():
            ours = own.get(peer.names.get(theirs, theirs))
            if ours is None and theirs.startswith("bias"):  # one that adds to another
                parameter[...] = 0.0
            elif ours is None:  # a setting, here no parameter
                assert theirs in settings, theirs
            else:
                parameter[...] = torch.tensor(ours.data.reshape(parameter.shape))
                pairs[theirs] = parameter
    assert len(pairs) == len(own), "each of ours is one of theirs"
    xs = torch.tensor(x[0], requires_grad=True)
    states = pytree.map(lambda s: torch.tensor(s, requires_grad=True), state)
    found = pytree.leaves(other(xs, states))
    weights = [np.random.default_rng(k).standard_normal(f.shape) for k, f in enumerate(found)]
    loss = sum((f * torch.tensor(w)).sum() for f, w in zip(found, weights))
    theirs = torch.autograd.grad(loss, [xs, *pytree.leaves(states), *pairs.values()])

    given = [tg.tensor(a, requires_grad=True) for a in [x[0], *pytree.leaves(state)]]
    mine = pytree.leaves(cell(given[0], pytree.unflatten(state, given[1:])))
    total = sum(((m * w).sum() for m, w in zip(mine, weights, strict=True)), tg.tensor(0.0))
    parameters = [own[peer.names.get(theirs, theirs)] for theirs in pairs]
    grads = tg.grad(total, [*given, *parameters])
    results = [*zip(found, mine, strict=True), *zip(theirs, grads, strict=True)]
    return max(float(abs(a.detach().numpy().reshape(b.shape) - b.data).max()) for a, b in results)


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(torchrecurrent, n)])
def test_values_and_gradients_are_those_of_torchrecurrent(name) -> None:
    differs = PEERS.get(name, Peer()).differs
    difference = _difference(name)
    if differs:
        assert difference > 1e-6, f"it no longer differs: {differs}"
        assert "torchrecurrent" in getattr(cells, name).__doc__
    else:
        assert difference < 1e-11
