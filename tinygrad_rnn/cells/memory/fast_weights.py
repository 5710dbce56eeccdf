"""Fast weights (Ba et al. 2016)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine
from ...nn.functional import linear
from ...nn.layers import LayerNorm
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["FastWeightsCell"]


class FastWeightsCell(Cell):
    """A fast-changing matrix A stores recent hidden states and attracts the next ones to them.

    A_t = decay A_{t-1} + rate h_{t-1} h_{t-1}'                (1)
    g_0 = relu(LN(W h_{t-1} + C x_t))
    g_{s+1} = relu(LN(W h_{t-1} + C x_t + A_t g_s))            (2) for s < inner_steps
    h_t = g_{inner_steps}

    Ba, Hinton, Mnih, Leibo & Ionescu 2016, "Using Fast Weights to Attend to the Recent Past",
    NeurIPS, arXiv:1610.06258. weight_hh W (H, H) is 0.05 times the identity, weight_ih C (H, I)
    uniform in +-1 / sqrt(H); norm is a LayerNorm with weight one and bias zero, the same for all g.
    The state is (h, A), A (B, H, H). (jxwufan's TensorFlow cell reads A before h_{t-1} is written
    to it, so its fast weights lag one step.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.FastWeightsCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Affine(leaf=1),)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        decay: float = 0.95,
        rate: float = 0.5,
        inner_steps: int = 1,
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.decay, self.rate, self.inner_steps = decay, rate, inner_steps
        self.weight_ih = uniform(hidden_size, input_size, bound=hidden_size**-0.5)
        self.weight_hh = zeros(hidden_size, hidden_size)
        self.weight_hh.data[:] = 0.05 * np.eye(hidden_size)
        self.norm = LayerNorm(hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(h_0, A_0): zeros (B, H) and (B, H, H)."""
        size = self.hidden_size
        return self.zeros(batch_size, size), self.zeros(batch_size, size, size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I), (h_{t-1}, A_{t-1}) -> (h_t, A_t)."""
        h, a = state
        written = ops.expand_dims(h, axis=-1) * ops.expand_dims(h, axis=-2)
        a = (self.decay * a + self.rate * written).named("fast weights")
        slow = linear(h, self.weight_hh) + linear(x, self.weight_ih)
        g = ops.relu(self.norm(slow))
        for _ in range(self.inner_steps):
            g = ops.relu(self.norm(slow + ops.einsum("bij,bj->bi", a, g)))
        return g.named("h"), a
