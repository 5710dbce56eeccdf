"""Phased LSTM (Neil et al. 2016)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import constant, uniform, zeros

__all__ = ["PhasedLSTMCell"]

State = tuple[Tensor, Tensor, Tensor]


class PhasedLSTMCell(Cell):
    """An LSTM in which each unit has its own period and is updated only in a short phase of it.

    phi_t = ((t - shift) mod period) / period                  phase (6)
    k_t = 2 phi / r                  where phi < r / 2         openness (6)
    k_t = 2 - 2 phi / r              where r / 2 <= phi < r
    k_t = leak phi                   elsewhere
    i, f, o, g as in an LSTM with peepholes, o with the new c  (1, 2, 4)
    c_t = k_t * (f * c_{t-1} + i * g) + (1 - k_t) * c_{t-1}    (7, 8)
    h_t = k_t * (o * tanh(f * c_{t-1} + i * g)) + (1 - k_t) * h_{t-1}             (9, 10)

    Neil, Pfeiffer & Liu 2016, "Phased LSTM: Accelerating Recurrent Network Training for Long or
    Event-based Sequences", NeurIPS, arXiv:1610.09513. At each step the time t grows by the input
    `dt` (B, 1), by default 1. weight_ih (4H, I) and weight_hh (4H, H) in the order i, f, g, o and
    weight_ph (3H,), the peepholes of i, f, o, uniform in +-1 / sqrt(H), biases zero; period (H,)
    log-uniform in exp(0) .. exp(3), shift (H,) uniform in 0 .. period, open (H,), r, the open share
    of a period, 0.05; `leak` 0.001, as in the paper. As in the authors' code, the signs of period
    and open are ignored. The state is (h, c, t).

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.cells.PhasedLSTMCell(3, 4))
    >>> outputs, [(h, c, t)] = layer(tg.zeros(5, 2, 3), dt=0.5 * tg.ones(5, 2, 1))
    >>> outputs.shape, t[0].item()
    ((5, 2, 4), 2.5)
    """

    claims = (Bounded(-1, 1, leaf=0),)

    def __init__(self, input_size: int, hidden_size: int, leak: float = 0.001) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.leak = leak
        bound = hidden_size**-0.5
        self.weight_ih = uniform(4 * hidden_size, input_size, bound=bound)
        self.weight_hh = uniform(4 * hidden_size, hidden_size, bound=bound)
        self.bias_ih = zeros(4 * hidden_size)
        self.bias_hh = zeros(4 * hidden_size)
        self.weight_ph = uniform(3 * hidden_size, bound=bound)
        self.period = uniform(hidden_size, bound=1.5)
        self.period.data[:] = np.exp(1.5 + self.period.data)
        self.shift = uniform(hidden_size, bound=0.5)
        self.shift.data[:] = (0.5 + self.shift.data) * self.period.data
        self.open = constant(hidden_size, value=0.05)

    def initial_state(self, batch_size: int) -> State:
        """(h_0, c_0, 0): zeros (B, H), (B, H) and (B, 1)."""
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros, self.zeros(batch_size, 1)

    def step(self, x: Tensor, state: State, dt: Tensor | float = 1.0) -> tuple[Tensor, State]:
        """x (B, I), the state and dt (B, 1) -> h_t (B, H) and the next state."""
        h, c, t = state
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        p_i, p_f, p_o = ops.split(self.weight_ph, 3)
        i = ops.sigmoid(i + p_i * c).named("input gate")
        f = ops.sigmoid(f + p_f * c).named("forget gate")
        proposed = f * c + i * ops.tanh(g).named("candidate")
        o = ops.sigmoid(o + p_o * proposed).named("output gate")
        t = t + dt
        k = self.openness(t).named("time gate")
        c = (k * proposed + (1 - k) * c).named("c")
        h = (k * (o * ops.tanh(proposed)) + (1 - k) * h).named("h")
        return h, (h, c, t)

    def openness(self, t: Tensor) -> Tensor:
        """k at time t (B, 1) -> (B, H)."""
        period, open_ = ops.abs(self.period), ops.abs(self.open)
        phase = ops.remainder(t - self.shift, period) / period
        ramp = 2 * phase / open_
        up_and_down = ops.minimum(ramp, 2 - ramp)
        k: Tensor = ops.where(phase < open_, up_and_down, self.leak * phase)
        return k
