"""FastGRNN (Kusupati et al. 2018)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import constant, normal

__all__ = ["FastGRNNCell"]


class FastGRNNCell(Cell):
    """One gate that shares the candidate's matrices: barely larger than a plain RNN.

    z_t = s(W x_t + U h_{t-1} + b_z)                  gate       (1)
    n_t = tanh(W x_t + U h_{t-1} + b_h)               candidate  (2)
    h_t = (zeta (1 - z_t) + nu) * n_t + z_t * h_{t-1}            (3)

    Kusupati et al. 2018, "FastGRNN: A Fast, Accurate, Stable and Tiny Kilobyte Sized Gated
    Recurrent Neural Network", NeurIPS, arXiv:1901.02358; zeta and nu are sigmoids of `zeta`
    (1.0) and `nu` (-4.0). weight_ih (H, I), weight_hh (H, H), normal with standard deviation
    0.1; bias_ih (2H,) for z and the candidate starts at 1.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.FastGRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = normal(hidden_size, input_size, std=0.1)
        self.weight_hh = normal(hidden_size, hidden_size, std=0.1)
        self.bias_ih = constant(2 * hidden_size, value=1.0)
        self.zeta = constant(1, value=1.0)
        self.nu = constant(1, value=-4.0)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        both = linear(x, self.weight_ih) + linear(h, self.weight_hh)
        b_z, b_h = ops.split(self.bias_ih, 2)
        z = ops.sigmoid(both + b_z).named("gate")
        n = ops.tanh(both + b_h).named("candidate")
        zeta, nu = ops.sigmoid(self.zeta), ops.sigmoid(self.nu)
        new: Tensor = ((zeta * (1 - z) + nu) * n + z * h).named("h")
        return new
