"""Simple gated unit (Gao & Glowacka 2016)."""

from __future__ import annotations

import math

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..functional import hard_sigmoid
from ..published import PublishedCell

__all__ = ["SGUCell"]


class SGUCell(PublishedCell):
    """The input gates the state multiplicatively, before and after the nonlinearity.

    g_t = W_g x_t + b_g                                            (1)
    z_t = tanh(U_g (g_t * h_{t-1}) + b_u)                          (2)
    n_t = softplus(z_t * h_{t-1})                     candidate    (3)
    u_t = hs(W_u x_t + U_u h_{t-1} + b_z)             update gate  (4)
    h_t = (1 - u_t) * h_{t-1} + u_t * n_t                          (5)

    with hs(a) = min(max(a / 5 + 1/2, 0), 1), the hard sigmoid. Gao & Glowacka 2016, "Deep Gate
    Recurrent Neural Network", ACML, arXiv:1604.02910. weight_ih (2H, I), bias_ih (2H,) and
    weight_hh (2H, H) in the order g, u, uniform in +-1 / sqrt(H); bias_hh (H,), b_u; biases zero.
    (hs has slope 1/5, as in Theano and Keras at the time and in Chainer's port of the cell;
    torchrecurrent 0.2.5 uses PyTorch's, with slope 1/6.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.SGUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(0, math.inf),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=2, bias_hh=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        g, u = ops.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
        u_g, u_u = ops.split(self.weight_hh, 2)
        z = ops.tanh(linear(g * h, u_g, self.bias_hh)).named("input")
        n = ops.softplus(z * h).named("candidate")
        u = hard_sigmoid(u + linear(h, u_u)).named("update gate")
        new: Tensor = ((1 - u) * h + u * n).named("h")
        return new
