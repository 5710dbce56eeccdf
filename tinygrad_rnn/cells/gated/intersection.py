"""Intersection RNN (Collins et al. 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["IntersectionRNNCell"]


class IntersectionRNNCell(PublishedCell):
    """Gates in time and in depth: the output differs from the state that is passed on.

    y'_t = relu(W_1 x_t + U_1 h_{t-1} + b_1)          candidate of the output  (1)
    h'_t = tanh(W_2 x_t + U_2 h_{t-1} + b_2)          candidate of the state   (2)
    g_t = s(W_3 x_t + U_3 h_{t-1} + b_3)              depth gate               (3)
    r_t = s(W_4 x_t + U_4 h_{t-1} + b_4)              recurrent gate           (4)
    y_t = g_t * x_t + (1 - g_t) * y'_t                output                   (5)
    h_t = r_t * h_{t-1} + (1 - r_t) * h'_t                                     (6)

    Collins, Sohl-Dickstein & Sussillo 2016, "Capacity and Trainability in Recurrent Neural
    Networks", arXiv:1611.09913, where it is called +RNN. Equation 5 needs x_t and h_t of the same
    size. If the sizes differ, x_t is first projected by weight_proj (H, I), as in the authors'
    code, TensorFlow's contrib.rnn.IntersectionRNNCell. weight_ih and weight_hh (4H, H) in the order
    1 to 4, uniform in +-1 / sqrt(H); biases zero, except 1 for both gates, so that they start by
    keeping x_t and h_{t-1}.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.IntersectionRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=4, hh=4, project=True)
        self.weight_ih = uniform(4 * hidden_size, hidden_size, bound=hidden_size**-0.5)
        self.bias_ih.data[2 * hidden_size :] = 1.0

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, I) and h (B, H) -> the output y (B, H) and the next h."""
        h, x = state, self.projected(x)
        both = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        y_in, h_in, g, r = ops.split(both, 4, axis=-1)
        y_in = ops.relu(y_in).named("candidate of the output")
        h_in = ops.tanh(h_in).named("candidate of the state")
        g = ops.sigmoid(g).named("depth gate")
        r = ops.sigmoid(r).named("recurrent gate")
        y = (g * x + (1 - g) * y_in).named("y")
        return y, (r * h + (1 - r) * h_in).named("h")
