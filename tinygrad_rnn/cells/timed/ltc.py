"""Liquid time-constant network (Hasani et al. 2021)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import as_weights
from ...nn.recurrent.cell import Cell
from ..parameters import uniform

__all__ = ["LTCCell"]


class LTCCell(Cell):
    """A leaky neuron's equation whose time constant depends on what its synapses receive.

    cm dv/dt = gleak (vleak - v) + sum_j f_j (E_j - v)         the equation (1) of each neuron
    f_j = w_j s(sigma_j (u_j - mu_j))                          a synapse from x or another neuron
    v <- (cm / d v + gleak vleak + sum f E) / (cm / d + gleak + sum f)            d = dt / unfolds

    The last line is an implicit Euler step, with f evaluated at the old v: the paper's fused solver
    (algorithm 1), applied `unfolds` times per step. It is stable for steps of any length.

    Hasani, Lechner, Amini, Rus & Grosu 2021, "Liquid Time-constant Networks", AAAI,
    arXiv:2006.04439. `dt` (B, 1): the time since the previous step, 1 by default. The paper divides
    (1) by cm and writes tau for cm / gleak. The synapses are those of the authors' code
    (ncps.torch.LTCCell, fully connected, against which this cell is tested; it adds 1e-8 to the
    denominator). Parameters have the names and initial values of that code, uniform in: gleak 0.001
    .. 1, vleak -0.2 .. 0.2, cm 0.4 .. 0.6, w and sensory_w 0.001 .. 1, sigma and sensory_sigma 3 ..
    8, mu and sensory_mu 0.3 .. 0.8, (H,), (from H, to H) or (from I, to H); erev and sensory_erev
    are randomly -1 or 1. gleak, cm and w enter through their softplus, so that they stay positive
    in training (`implicit_param_constraints` in that code). The state stays within the range of
    vleak and E.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.cells.LTCCell(3, 4))
    >>> outputs, state = layer(tg.zeros(5, 2, 3), dt=0.5 * tg.ones(5, 2, 1))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, unfolds: int = 6) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.unfolds = unfolds
        i, h = input_size, hidden_size
        self.gleak, self.vleak = _between(0.001, 1.0, h), _between(-0.2, 0.2, h)
        self.cm = _between(0.4, 0.6, h)
        self.sigma, self.mu = _between(3.0, 8.0, h, h), _between(0.3, 0.8, h, h)
        self.w, self.erev = _between(0.001, 1.0, h, h), _between(-1.0, 1.0, h, h)
        self.sensory_sigma, self.sensory_mu = _between(3.0, 8.0, i, h), _between(0.3, 0.8, i, h)
        self.sensory_w = _between(0.001, 1.0, i, h)
        self.sensory_erev = _between(-1.0, 1.0, i, h)
        for erev in (self.erev, self.sensory_erev):
            erev.data[:] = np.sign(erev.data)

    def step(self, x: Tensor, state: Tensor, dt: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
        """x (B, I), v_{t-1} (B, H) and dt (B, 1) -> v_t, as output and as state."""
        v = state
        x = as_weights(x, v.dtype)
        w, sensory_w = ops.softplus(self.w), ops.softplus(self.sensory_w)
        gleak = ops.softplus(self.gleak)
        capacity = ops.softplus(self.cm) * self.unfolds / dt
        sensory = _synapses(x, self.sensory_mu, self.sensory_sigma, sensory_w)
        current = ops.sum(sensory * self.sensory_erev, axis=1) + gleak * self.vleak
        conductance = ops.sum(sensory, axis=1) + gleak
        for _ in range(self.unfolds):
            own = _synapses(v, self.mu, self.sigma, w)
            driven = capacity * v + current + ops.sum(own * self.erev, axis=1)
            v = driven / (capacity + conductance + ops.sum(own, axis=1))
        v = v.named("h")
        return v, v


def _between(low: float, high: float, *shape: int) -> Tensor:
    parameter = uniform(*shape, bound=0.5 * (high - low))
    parameter.data += 0.5 * (low + high)
    return parameter


def _synapses(u: Tensor, mu: Tensor, sigma: Tensor, w: Tensor) -> Tensor:
    """f from each of u (B, from) to each neuron: (B, from, to)."""
    f: Tensor = w * ops.sigmoid(sigma * (ops.expand_dims(u, axis=-1) - mu))
    return f
