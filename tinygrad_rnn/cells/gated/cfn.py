"""Chaos free network (Laurent & von Brecht 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Fading
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["CFNCell"]


class CFNCell(PublishedCell):
    """Two gates and no mixing of hidden units: without input the state decays to zero.

    f_t = s(V_f x_t + U_f h_{t-1} + b_f)              forget gate  (1)
    i_t = s(V_i x_t + U_i h_{t-1} + b_i)              input gate   (2)
    h_t = f_t * tanh(h_{t-1}) + i_t * tanh(W x_t)                  (3)

    Laurent & von Brecht 2016, "A recurrent neural network without chaos", arXiv:1612.06212.
    weight_ih (3H, I) in the order f, i, W, the last without bias, and weight_hh (2H, H), uniform in
    +-1 / sqrt(H); the biases start at 1 (forget) and -1 (input), as in the paper's experiments.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.CFNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Fading(),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3, hh=2, bias_ih=2)
        self.bias_hh.data[:hidden_size] = 1.0
        self.bias_hh.data[hidden_size:] = -1.0

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        gates, w = ops.split(linear(x, self.weight_ih), [2 * self.hidden_size], axis=-1)
        gates = gates + self.bias_ih + linear(h, self.weight_hh, self.bias_hh)
        f, i = ops.split(ops.sigmoid(gates), 2, axis=-1)
        f, i = f.named("forget gate"), i.named("input gate")
        new: Tensor = (f * ops.tanh(h) + i * ops.tanh(w)).named("h")
        return new
