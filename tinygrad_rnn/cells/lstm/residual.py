"""Residual LSTM (Kim et al. 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Diagonal
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["ResLSTMCell"]


class ResLSTMCell(PublishedCell):
    """An LSTM with a shortcut from input to output for deep stacks, scaled by the output gate.

    i_t = s(W_i x_t + U_i h_{t-1} + p_i * c_{t-1} + b_i)           (1)
    f_t = s(W_f x_t + U_f h_{t-1} + p_f * c_{t-1} + b_f)           (2)
    g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)                        (3)
    c_t = f_t * c_{t-1} + i_t * g_t                                (4)
    o_t = s(W_o x_t + U_o h_{t-1} + p_o * c_t + b_o)               (5)
    m_t = V tanh(c_t)                                 projection   (6)
    h_t = o_t * (m_t + x_t)                                        (7)

    Kim, El-Khamy & Lee 2017, "Residual LSTM: Design of a Deep Recurrent Architecture for Distant
    Speech Recognition", Interspeech, arXiv:1701.03360. weight_ih (4H, I) and weight_hh (4H, H) in
    the order i, f, g, o, weight_ph (3H,) with the diagonal weights p_i, p_f, p_o, weight_ch (H, H),
    V, uniform in +-1 / sqrt(H); biases zero. If x_t and h_t differ in size, (7) adds W_h x_t
    instead of x_t, with weight_proj (H, I). (torchrecurrent 0.2.5 always has that matrix.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.ResLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Diagonal(leaf=1),)
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=4, hh=4, project=True)
        self.weight_ph = uniform(3 * hidden_size, bound=hidden_size**-0.5)
        self.weight_ch = uniform(hidden_size, hidden_size, bound=hidden_size**-0.5)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        p_i, p_f, p_o = ops.split(self.weight_ph, 3)
        i = ops.sigmoid(i + p_i * c).named("input gate")
        f = ops.sigmoid(f + p_f * c).named("forget gate")
        c = (f * c + i * ops.tanh(g)).named("c")
        o = ops.sigmoid(o + p_o * c).named("output gate")
        m = linear(ops.tanh(c), self.weight_ch).named("projection")
        return (o * (m + self.projected(x))).named("h"), c
