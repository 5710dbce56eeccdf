"""Update gate RNN (Collins et al. 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["UGRNNCell"]


class UGRNNCell(PublishedCell):
    """A plain RNN with one gate between the old state and the candidate.

    n_t = tanh(W_n x_t + U_n h_{t-1} + b_n)           candidate    (1)
    g_t = s(W_g x_t + U_g h_{t-1} + b_g)              update gate  (2)
    h_t = g_t * h_{t-1} + (1 - g_t) * n_t                          (3)

    Collins, Sohl-Dickstein & Sussillo 2016, "Capacity and Trainability in Recurrent Neural
    Networks", arXiv:1611.09913. weight_ih (2H, I) and weight_hh (2H, H) in the order n, g, uniform
    in +-1 / sqrt(H); the bias of the gate starts at 1, so that the state is mostly kept at first.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.UGRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=2)
        self.bias_ih.data[hidden_size:] = 1.0

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        both = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        n, g = ops.split(both, 2, axis=-1)
        n = ops.tanh(n).named("candidate")
        g = ops.sigmoid(g).named("update gate")
        new: Tensor = (g * h + (1 - g) * n).named("h")
        return new
