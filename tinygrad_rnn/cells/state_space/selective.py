"""Selective state-space model, S6, the recurrence of Mamba (Gu & Dao 2023)."""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Diagonal, Fading
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import constant, uniform, zeros

__all__ = ["SelectiveSSMCell"]


class SelectiveSSMCell(Cell):
    """Small linear systems, one per channel, whose step length, input and output depend on x_t.

    u_t = W x_t                                                       channels (B, H)
    B_t, C_t = W_B u_t, W_C u_t                                       (B, N) each
    d_t = softplus(W_d (W_r u_t) + b_d)                               step length (B, H)
    s_t = exp(d_t A) * s_{t-1} + (d_t u_t) B_t'                       (2a), A = -exp(A_log) (H, N)
    y_t = s_t C_t + D * u_t                                           (2b)

    Gu & Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces",
    arXiv:2312.00752, algorithm 2. `state_size` N; `rank`: the rank of W_d W_r, H / 16 by default.
    The convolution, gate and projections of the surrounding block are not part of the cell; W
    (weight_ih) takes their place. The paper discretises B by zero-order hold as well (4). Its code
    (selective_scan_interface.py) uses Euler's rule, d_t B_t, as do all trained models; so does this
    cell.

    weight_ih (H, I) and weight_x (rank + 2N, H), for r, B, C, uniform in +-1 / sqrt(columns);
    weight_dt (H, rank) uniform in +-1 / sqrt(rank); bias_dt such that d starts log-uniform in 0.001
    .. 0.1; A_log (H, N) = log(1 .. N); D (H,) = 1, as in the authors' code. The step is affine in
    its state, and without input the state decays.

    >>> import tinygrad_rnn as tg
    >>> outputs, [s] = tg.nn.Recurrent(tg.cells.SelectiveSSMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape, s.shape
    ((5, 2, 4), (2, 4, 16))
    """

    claims = (Affine(), Diagonal(), Fading())

    def __init__(
        self, input_size: int, hidden_size: int, state_size: int = 16, rank: int | None = None
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.state_size = state_size
        self.rank = rank or math.ceil(hidden_size / 16)
        self.weight_ih = uniform(hidden_size, input_size, bound=input_size**-0.5)
        rows = self.rank + 2 * state_size
        self.weight_x = uniform(rows, hidden_size, bound=hidden_size**-0.5)
        self.weight_dt = uniform(hidden_size, self.rank, bound=self.rank**-0.5)
        self.bias_dt = uniform(hidden_size, bound=0.5 * math.log(100.0))
        step = np.exp(self.bias_dt.data + math.log(0.01))
        self.bias_dt.data[:] = step + np.log(-np.expm1(-step))  # the inverse of softplus
        self.A_log = zeros(hidden_size, state_size)
        self.A_log.data[:] = np.log(np.arange(1, state_size + 1))
        self.D = constant(hidden_size, value=1.0)

    def initial_state(self, batch_size: int) -> Tensor:
        """Zeros (B, H, N)."""
        return self.zeros(batch_size, self.hidden_size, self.state_size)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state (B, H, N) -> y (B, H) and the next state."""
        u = linear(x, self.weight_ih).named("u")
        low, b, c = ops.split(
            linear(u, self.weight_x), [self.rank, self.rank + self.state_size], axis=-1
        )
        d = ops.softplus(linear(low, self.weight_dt, self.bias_dt)).named("step length")
        decay = ops.exp(ops.expand_dims(d, axis=-1) * -ops.exp(self.A_log)).named("decay")
        written = ops.expand_dims(d * u, axis=-1) * ops.expand_dims(b, axis=-2)
        s = (decay * state + written).named("s")
        y = ops.sum(s * ops.expand_dims(c, axis=-2), axis=-1) + self.D * u
        return y.named("y"), s
