"""Published cells against torchrecurrent, values and gradients, where it computes what papers say.

Where it does not, the difference is named here and in the cell's docstring; that it is still there
is checked, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cells, pytree

from .examples import NAMES, example

torch = pytest.importorskip("torch", reason="needs torch")
torchrecurrent = pytest.importorskip("torchrecurrent", reason="needs torchrecurrent")


@dataclass
class Peer:
    """How torchrecurrent's cell of the same name is made and run like ours."""

    settings: dict[str, Any] = field(default_factory=dict)
    fill: Callable[[dict[str, Any]], dict[str, Any]] = lambda p: {}  # its parameters, from ours
    make: Callable[..., Any] = lambda kind, i, h, **settings: kind(i, h, **settings)
    state: Callable[..., Any] = lambda p, x, state: state  # one that both can have
    call: Callable[..., Any] = lambda other, p, x, state: other(x, state)
    differs: str = ""  # what it computes otherwise than the paper


SAME_SETTINGS = ("dt", "gamma", "epsilon", "alpha", "beta", "update_coefficient")
SAME_SETTINGS += ("reset_coefficient",)
SLOPE = "PyTorch's hard sigmoid in place of Theano's"

PEERS = {
    "CFNCell": Peer(fill=lambda p: {"bias_ih": np.r_[p["bias_ih"], 0, 0, 0]}),
    "DSGUCell": Peer(fill=lambda p: {"bias_hh": np.r_[p["bias_hh"], 0, 0, 0]}, differs=SLOPE),
    "SGUCell": Peer(fill=lambda p: {"bias_hh": np.r_[p["bias_hh"], 0, 0, 0]}, differs=SLOPE),
    "FastGRNNCell": Peer({"nonlinearity": "sigmoid"}),
    "IndRNNCell": Peer({"nonlinearity": "relu"}, lambda p: {"vector_u": p["weight_hh"]}),
    "MinimalRNNCell": Peer(fill=lambda p: {"weight_mm": p["weight_zh"]}),
    "IntersectionRNNCell": Peer(
        make=lambda kind, i, h: kind(h, h),
        call=lambda other, p, x, state: other(x @ torch.tensor(p["weight_proj"].T), state),
    ),
    "LEMCell": Peer(differs="the last equation reads z_{t-1}, the paper's z_t"),
    "MUT1Cell": Peer(
        fill=lambda p: {
            "weight_ih": np.concatenate([p["weight_ih"], p["weight_proj"]]),
            "bias_ih": np.r_[p["bias_ih"][:6], 0, 0, 0],
            "bias_hh": np.r_[0, 0, 0, p["bias_ih"][6:]],
        }
    ),
    "MUT2Cell": Peer(
        fill=lambda p: {
            "weight_ih": np.concatenate([p["weight_ih"][:3], p["weight_proj"], p["weight_ih"][3:]])
        }
    ),
    "MultiplicativeLSTMCell": Peer(fill=lambda p: {"bias_ih": np.r_[0, 0, 0, p["bias_ih"]]}),
    "NASCell": Peer(differs="a sum under the second rectifier, a product in the authors' code"),
    "OriginalLSTMCell": Peer(differs="tanh for both squashing functions"),
    "ResLSTMCell": Peer(
        fill=lambda p: {"weight_proj": p["weight_ch"], "weight_res": p["weight_proj"]}
    ),
    "TRNNCell": Peer(fill=lambda p: {"bias_ih": np.r_[0, 0, 0, p["bias_ih"]]}),
    "SCRNCell": Peer(
        fill=lambda p: {
            "weight_ih": np.concatenate([p["weight_xs"], p["weight_ih"]]),
            "weight_hh": np.concatenate([p["weight_hh"], p["weight_hy"]]),
            "weight_ch": np.concatenate([p["weight_sh"], p["weight_sy"]]),
        },
        differs="the squashed output recurs in place of the hidden state",
    ),
    "TLSTMCell": Peer(
        state=lambda p, x, state: (state[0], x[1] @ p["weight_hh"].T),
        call=lambda other, p, x, state: [
            (y := other(x, (state[0], _before(other, state))))[0],
            y[1][0],
        ],
    ),
    "TGRUCell": Peer(
        state=lambda p, x, state: (state[0], x[1] @ p["weight_hh"].T),
        call=lambda other, p, x, state: [other(x, (state[0], _before(other, state)))[0]],
    ),
    "WMCLSTMCell": Peer(fill=lambda p: {"weight_mh": p["weight_ch"]}),
    "tauGRUCell": Peer(call=lambda other, p, x, state: [other(x, state[0], state[1][:, 0])]),
}


def _before(other: Any, state: Any) -> Any:
    """The x_{t-1} whose products V x_{t-1} are in our state."""
    return torch.linalg.lstsq(other.weight_hh, state[1].T).solution.T


def _difference(name: str) -> float:
    """The largest difference in the next state, and in gradients of what both have by one name."""
    cell, x, state, _ = example(name)
    peer = PEERS.get(name, Peer())
    settings = {
        s: getattr(cell, s) for s in SAME_SETTINGS if isinstance(getattr(cell, s, 0), float)
    }
    settings |= peer.settings
    kind = getattr(torchrecurrent, name)
    other = peer.make(kind, cell.input_size, cell.hidden_size, **settings).double()
    own = dict(cell.named_parameters())
    arrays = {name: parameter.data for name, parameter in own.items()}
    filled, state = peer.fill(arrays), peer.state(arrays, x, state)
    same = {}
    with torch.no_grad():
        for theirs, parameter in other.named_parameters():
            if theirs in filled:
                parameter[...] = torch.tensor(filled[theirs])
            elif theirs in own:
                parameter[...] = torch.tensor(own[theirs].data.reshape(parameter.shape))
                same[theirs] = parameter
            elif theirs.startswith("bias"):  # one that adds to another
                parameter[...] = 0.0
            else:  # a setting, here no parameter
                assert theirs in settings, theirs
    xs = torch.tensor(x[0], requires_grad=True)
    states = pytree.map(lambda s: torch.tensor(s, requires_grad=True), state)
    found = pytree.leaves(peer.call(other, arrays, xs, states))
    weights = [np.random.default_rng(k).standard_normal(f.shape) for k, f in enumerate(found)]
    loss = sum((f * torch.tensor(w)).sum() for f, w in zip(found, weights))
    theirs = torch.autograd.grad(loss, [xs, pytree.leaves(states)[0], *same.values()])

    given = [tg.tensor(a, requires_grad=True) for a in [x[0], *pytree.leaves(state)]]
    mine = pytree.leaves(cell(given[0], pytree.unflatten(state, given[1:])))[: len(found)]
    total = sum(((m * w).sum() for m, w in zip(mine, weights, strict=True)), tg.tensor(0.0))
    inputs = [*given[:2], *(own[name] for name in same)]
    grads = tg.grad(total, inputs, allow_unused=True)
    pairs = [(a, b) for a, b in zip(theirs, grads, strict=True) if b is not None]
    results = [*zip(found, mine, strict=True), *pairs]
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
