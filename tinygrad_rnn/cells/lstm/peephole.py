"""LSTM with peepholes (Gers & Schmidhuber 2000)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded, Diagonal
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["PeepholeLSTMCell"]


class PeepholeLSTMCell(PublishedCell):
    """The gates of an LSTM also see the cell state.

    i_t = s(W_i x_t + U_i h_{t-1} + p_i * c_{t-1} + b_i)  (1)
    f_t = s(W_f x_t + U_f h_{t-1} + p_f * c_{t-1} + b_f)  (2)
    g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)               (3)
    c_t = f_t * c_{t-1} + i_t * g_t                       (4)
    o_t = s(W_o x_t + U_o h_{t-1} + p_o * c_t + b_o)      (5)
    h_t = o_t * tanh(c_t)                                 (6)

    Gers & Schmidhuber 2000, "Recurrent nets that time and count", IJCNN. weight_ih (4H, I) and
    weight_hh (4H, H) in the order i, f, g, o, as `LSTMCell`; weight_ph (3H,) with the diagonal
    weights p_i, p_f, p_o; all uniform in +-1 / sqrt(H), biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.PeepholeLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0), Diagonal(leaf=1))
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=4, hh=4)
        self.weight_ph = uniform(3 * hidden_size, bound=hidden_size**-0.5)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        p_i, p_f, p_o = ops.split(self.weight_ph, 3)
        i = ops.sigmoid(i + p_i * c).named("input gate")
        f = ops.sigmoid(f + p_f * c).named("forget gate")
        g = ops.tanh(g).named("candidate")
        c = (f * c + i * g).named("c")
        o = ops.sigmoid(o + p_o * c).named("output gate")
        return (o * ops.tanh(c)).named("h"), c
