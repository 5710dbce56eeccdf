"""Chaos free network (Laurent & von Brecht 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["CFNCell"]


class CFNCell(PublishedCell):
    """Two gates and no mixing of hidden units: without input the state dies away.

    f_t = s(V_f x_t + U_f h_{t-1} + b_f)              forget gate
    i_t = s(V_i x_t + U_i h_{t-1} + b_i)              input gate
    h_t = f_t * tanh(h_{t-1}) + i_t * tanh(W x_t)

    Laurent & von Brecht 2016, "A recurrent neural network without chaos", arXiv:1612.06212.
    weight_ih (3H, I) in the order f, i, W and weight_hh (2H, H), uniform in +-1 / sqrt(H); the
    biases start at 1 (forget) and -1 (input), as in the paper's experiments.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.CFNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3, hh=2)
        self.bias_hh.data[:hidden_size] = 1.0
        self.bias_hh.data[hidden_size:] = -1.0

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        f, i, w = ops.split(linear(x, self.weight_ih, self.bias_ih), 3, axis=-1)
        f_h, i_h = ops.split(linear(h, self.weight_hh, self.bias_hh), 2, axis=-1)
        f = ops.sigmoid(f + f_h).named("forget gate")
        i = ops.sigmoid(i + i_h).named("input gate")
        new: Tensor = (f * ops.tanh(h) + i * ops.tanh(w)).named("h")
        return new
