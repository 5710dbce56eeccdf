"""MinimalRNN (Chen 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["MinimalRNNCell"]


class MinimalRNNCell(PublishedCell):
    """The input is first mapped to a latent space; one gate mixes it into the state.

    z_t = tanh(W x_t + b)                             latent input  (1)
    u_t = s(U_h h_{t-1} + U_z z_t + b_u)              update gate   (2)
    h_t = u_t * h_{t-1} + (1 - u_t) * z_t                           (3)

    Chen 2017, "MinimalRNN: Toward More Interpretable and Trainable Recurrent Neural Networks",
    arXiv:1711.06788. weight_ih (H, I), weight_hh and weight_zh (H, H), uniform in +-1 /
    sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MinimalRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=1, hh=1)
        self.weight_zh = uniform(hidden_size, hidden_size, bound=hidden_size**-0.5)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        z = ops.tanh(linear(x, self.weight_ih, self.bias_ih)).named("latent input")
        u = ops.sigmoid(linear(h, self.weight_hh, self.bias_hh) + linear(z, self.weight_zh))
        u = u.named("update gate")
        new: Tensor = (u * h + (1 - u) * z).named("h")
        return new
