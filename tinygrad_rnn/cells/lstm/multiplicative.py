"""Multiplicative LSTM (Krause et al. 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["MultiplicativeLSTMCell"]


class MultiplicativeLSTMCell(PublishedCell):
    """An LSTM whose recurrent matrix depends on the input.

    m_t = (W_m x_t) * (U_m h_{t-1})                   intermediate state  (1)
    i_t = s(W_i x_t + V_i m_t + b_i)                  input gate          (2)
    f_t = s(W_f x_t + V_f m_t + b_f)                  forget gate         (3)
    g_t = tanh(W_g x_t + V_g m_t + b_g)               candidate           (4)
    o_t = s(W_o x_t + V_o m_t + b_o)                  output gate         (5)
    c_t = f_t * c_{t-1} + i_t * g_t                                       (6)
    h_t = o_t * tanh(c_t)                                                 (7)

    Krause, Lu, Murray & Renals 2016, "Multiplicative LSTM for sequence modelling",
    arXiv:1609.07959. weight_ih (5H, I) in the order m, i, f, g, o, weight_hh (H, H), U_m, weight_mh
    (4H, H) in the order i, f, g, o, uniform in +-1 / sqrt(H); bias_ih (4H,) zero, except 1 for the
    forget gate.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MultiplicativeLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0), Affine(leaf=1), Diagonal(leaf=1))
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=5, hh=1, bias_ih=4, bias_hh=0)
        self.weight_mh = uniform(4 * hidden_size, hidden_size, bound=hidden_size**-0.5)
        self.bias_ih.data[hidden_size : 2 * hidden_size] = 1.0

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        m, gates = ops.split(linear(x, self.weight_ih), [self.hidden_size], axis=-1)
        m = (m * linear(h, self.weight_hh)).named("intermediate state")
        i, f, g, o = ops.split(gates + linear(m, self.weight_mh, self.bias_ih), 4, axis=-1)
        i = ops.sigmoid(i).named("input gate")
        f = ops.sigmoid(f).named("forget gate")
        g = ops.tanh(g).named("candidate")
        o = ops.sigmoid(o).named("output gate")
        c = (f * c + i * g).named("c")
        return (o * ops.tanh(c)).named("h"), c
