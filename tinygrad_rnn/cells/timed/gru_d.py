"""GRU-D: a GRU for series with missing values (Che et al. 2018)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import as_weights, linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["GRUDCell"]

State = tuple[Tensor, Tensor, Tensor]


class GRUDCell(Cell):
    """A GRU whose missing inputs decay from their last value to the mean, and its state in time.

    d_t = dt + d_{t-1} where x_{t-1} was missing, else dt      since each was last observed (2)
    gamma = exp(-max(0, W_gamma d_t + b_gamma))                decay (10); W_gamma x diagonal
    x^_t = m_t * x_t + (1 - m_t) * (gamma_x * x'_t + (1 - gamma_x) * mean)        (11)
    h^_t = gamma_h * h_{t-1}                                   (12)
    r_t = s(W_r x^_t + U_r h^_t + V_r m_t + b_r),  z_t likewise   (13, 14)
    n_t = tanh(W x^_t + U (r_t * h^_t) + V m_t + b)            (15)
    h_t = (1 - z_t) * h^_t + z_t * n_t                         (16), x': the last observed value

    Che, Purushotham, Cho, Sontag & Liu 2018, "Recurrent Neural Networks for Multivariate Time
    Series with Missing Values", Scientific Reports 8, arXiv:1606.01865. Further inputs: `mask` m
    (B, I), 1 where x is present and 0 where it is missing, by default all present (the values of x
    where it is missing are ignored and may be NaN); `dt` (B, 1), the time since the previous step,
    1 by default (in the paper the first is zero). `mean` (I,), a buffer: the mean of each feature,
    to be set before training; initially zero. In a stack, use it as the first of several cells.

    weight_ih (3H, I), weight_hh (3H, H), weight_mh (3H, I), V, in the order r, z, n, decay_h (H, I)
    and decay_x (I,), uniform in +-1 / sqrt(H), biases zero (the paper gives no initial values). The
    state is (h, x', d), (B, H), (B, I) and (B, I).

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.cells.GRUDCell(3, 4))
    >>> mask = tg.rand(5, 2, 3) < 0.5
    >>> outputs, [(h, last, since)] = layer(tg.zeros(5, 2, 3), mask=mask, dt=tg.ones(5, 2, 1))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0),)

    mean: Tensor

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        bound = hidden_size**-0.5
        self.weight_ih = uniform(3 * hidden_size, input_size, bound=bound)
        self.weight_hh = uniform(3 * hidden_size, hidden_size, bound=bound)
        self.weight_mh = uniform(3 * hidden_size, input_size, bound=bound)
        self.bias_ih = zeros(3 * hidden_size)
        self.decay_h = uniform(hidden_size, input_size, bound=bound)
        self.bias_decay_h = zeros(hidden_size)
        self.decay_x = uniform(input_size, bound=bound)
        self.bias_decay_x = zeros(input_size)
        self.register_buffer("mean", np.zeros(input_size, self.bias_ih.dtype))

    def initial_state(self, batch_size: int) -> State:
        """(h_0, x'_0, d_0): zeros (B, H), the means (B, I), zeros (B, I)."""
        missing = self.zeros(batch_size, self.input_size)
        return self.zeros(batch_size, self.hidden_size), missing + self.mean, missing

    def step(
        self, x: Tensor, state: State, mask: Tensor | float = 1.0, dt: Tensor | float = 1.0
    ) -> tuple[Tensor, State]:
        """x (B, I), the state, mask (B, I) and dt (B, 1) -> h_t and the next state."""
        h, last, since = state
        x = as_weights(x, since.dtype)
        mask = self._mask(mask, since)
        since = since + dt
        gamma_x = _decay(self.decay_x * since + self.bias_decay_x).named("decay of x")
        gamma_h = _decay(linear(since, self.decay_h, self.bias_decay_h)).named("decay of h")
        guess = gamma_x * last + (1 - gamma_x) * self.mean
        x = ops.where(mask > 0.5, x, guess).named("imputed x")
        last = ops.where(mask > 0.5, x, last)
        h = gamma_h * h
        r_x, z_x, n_x = ops.split(
            linear(x, self.weight_ih, self.bias_ih) + linear(mask, self.weight_mh), 3, axis=-1
        )
        u_r, u_z, u_n = ops.split(self.weight_hh, 3)
        r = ops.sigmoid(r_x + linear(h, u_r)).named("reset gate")
        z = ops.sigmoid(z_x + linear(h, u_z)).named("update gate")
        n = ops.tanh(n_x + linear(r * h, u_n)).named("candidate")
        h = ((1 - z) * h + z * n).named("h")
        return h, (h, last, (1 - mask) * since)

    def _mask(self, mask: Tensor | float, like: Tensor) -> Tensor:
        features = mask.shape[-1] if isinstance(mask, Tensor) else 1
        if features not in (1, self.input_size):
            raise ValueError(
                f"GRUDCell was made for {self.input_size} features, but its mask has {features}. "
                "The mask describes the x of the first layer, so use another cell above it: "
                "nn.Recurrent([GRUDCell(...), GRUCell(...)])"
            )
        whole: Tensor = as_weights(mask, like.dtype) * ops.ones_like(like)
        return whole


def _decay(speed: Tensor) -> Tensor:
    decay: Tensor = ops.exp(-ops.relu(speed))
    return decay
