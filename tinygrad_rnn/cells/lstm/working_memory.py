"""LSTM with working memory connections (Landi et al. 2021)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["WMCLSTMCell"]


class WMCLSTMCell(PublishedCell):
    """An LSTM with full-matrix peepholes through tanh, so that its gates do not saturate.

    i_t = s(W_i x_t + U_i h_{t-1} + tanh(V_i c_{t-1}) + b_i)       (1)
    f_t = s(W_f x_t + U_f h_{t-1} + tanh(V_f c_{t-1}) + b_f)       (2)
    g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)                        (3)
    c_t = f_t * c_{t-1} + i_t * g_t                                (4)
    o_t = s(W_o x_t + U_o h_{t-1} + tanh(V_o c_t) + b_o)           (5)
    h_t = o_t * tanh(c_t)                                          (6)

    Landi, Baraldi, Cornia & Cucchiara 2021, "Working Memory Connections for LSTM", Neural Networks,
    arXiv:2109.00020. weight_ih (4H, I) and weight_hh (4H, H) in the order i, f, g, o, weight_ch
    (3H, H) in the order i, f, o, V, uniform in +-1 / sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.WMCLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0),)
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=4, hh=4)
        self.weight_ch = uniform(3 * hidden_size, hidden_size, bound=hidden_size**-0.5)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        v_i, v_f, v_o = ops.split(self.weight_ch, 3)
        i = ops.sigmoid(i + ops.tanh(linear(c, v_i))).named("input gate")
        f = ops.sigmoid(f + ops.tanh(linear(c, v_f))).named("forget gate")
        g = ops.tanh(g).named("candidate")
        c = (f * c + i * g).named("c")
        o = ops.sigmoid(o + ops.tanh(linear(c, v_o))).named("output gate")
        return (o * ops.tanh(c)).named("h"), c
