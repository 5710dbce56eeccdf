"""The networks of the lessons, and the gradients in them: real runs, not formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ... import nn, ops, pytree
from ...engine.tensor import Tensor, tensor
from ...engine.transforms import grad
from ...norms import norm

__all__ = ["INPUT", "UNITS", "LinearCell", "gradients", "inputs", "lstm", "rnn", "unrolled"]

INPUT, UNITS = 8, 32
SEED = 0

Array = Any


class LinearCell(nn.Cell):
    """h_t = W x_t + U h_{t-1}: a recurrent network without a squashing function."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        inner = nn.RNNCell(input_size, hidden_size)
        self.weight_ih, self.weight_hh = inner.weight_ih, inner.weight_hh

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """x (B, I), h_{t-1} (B, H) -> h_t."""
        return (
            nn.functional.linear(x, self.weight_ih) + nn.functional.linear(h, self.weight_hh)
        ).named("h")


def rnn(radius: float, make: Callable[[int, int], nn.Cell] = nn.RNNCell) -> nn.Cell:
    """A cell whose recurrent weights are random, scaled to a spectral radius; float64."""
    ops.manual_seed(SEED)
    cell: Any = make(INPUT, UNITS)
    cell.astype("float64")
    weights = cell.weight_hh.data
    largest = np.abs(np.linalg.eigvals(weights)).max()
    cell.load_state_dict({**cell.state_dict(), "weight_hh": weights * (radius / largest)})
    made: nn.Cell = cell
    return made


def lstm(bias: float) -> nn.LSTMCell:
    """An LSTM whose forget gates have this bias; float64."""
    ops.manual_seed(SEED)
    cell = nn.LSTMCell(INPUT, UNITS)
    cell.astype("float64")
    nn.init.forget_gate_bias_(cell.bias_ih, bias)
    nn.init.forget_gate_bias_(cell.bias_hh, 0.0)
    return cell


@cache
def inputs(steps: int) -> Array:
    """The sequence that all networks read, (steps, 1, INPUT)."""
    return np.random.default_rng(SEED).standard_normal((steps, 1, INPUT))


def unrolled(
    cell: nn.Cell, x: Array, cut: int | None = None, along: int | None = None
) -> list[Any]:
    """The state after each step, recorded; detached every `cut` steps.

    `along`: the one leaf of the state that hands the gradient on; the others are detached.
    """
    state: Any = cell.initial_state(x.shape[1])
    states = []
    for t in range(len(x)):
        if cut is not None and t and t % cut == 0:
            state = pytree.map(lambda leaf: leaf.detach(), state)
        if along is not None:
            leaves, structure = pytree.flatten(state)
            kept = [leaf if k == along else leaf.detach() for k, leaf in enumerate(leaves)]
            state = pytree.unflatten(structure, kept)
        state = cell(tensor(x[t]), state)
        states.append(state)
    return states


def gradients(states: Sequence[Any], steps: int) -> dict[str, Array]:
    """The norm of the gradient of the sum of h after `steps` for each state: by name, (steps,).

    The first leaf of a state is h.
    """
    leaves = [pytree.leaves(state) for state in states[:steps]]
    flat = [leaf for step in leaves for leaf in step]
    found = grad(leaves[-1][0].sum(), flat, retain_graph=True, allow_unused=True)
    norms = np.array([0.0 if g is None else norm(g.data) for g in found])
    names = [leaf.name or "state" for leaf in leaves[-1]]
    return dict(zip(names, norms.reshape(steps, len(names)).T))
