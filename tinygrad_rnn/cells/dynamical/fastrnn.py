"""FastRNN (Kusupati et al. 2018)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import constant, normal

__all__ = ["FastRNNCell"]


class FastRNNCell(Cell):
    """A plain RNN with a weighted residual connection: only two more parameters.

    n_t = tanh(W x_t + U h_{t-1} + b)                 candidate  (1)
    h_t = a n_t + b h_{t-1},   a = s(alpha), b = s(beta)         (2)

    Kusupati et al. 2018, "FastGRNN: A Fast, Accurate, Stable and Tiny Kilobyte Sized Gated
    Recurrent Neural Network", NeurIPS, arXiv:1901.02358. weight_ih (H, I), weight_hh (H, H),
    normal with standard deviation 0.1; alpha starts at -3 and beta at 3, as in the authors'
    code.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.FastRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = normal(hidden_size, input_size, std=0.1)
        self.weight_hh = normal(hidden_size, hidden_size, std=0.1)
        self.bias_ih = constant(hidden_size, value=1.0)
        self.alpha = constant(1, value=-3.0)
        self.beta = constant(1, value=3.0)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        n = ops.tanh(linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh))
        n = n.named("candidate")
        new: Tensor = (ops.sigmoid(self.alpha) * n + ops.sigmoid(self.beta) * h).named("h")
        return new
