"""Light GRU (Ravanelli et al. 2018)."""

from __future__ import annotations

import math

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..parameters import orthogonal, xavier
from ..published import PublishedCell

__all__ = ["LiGRUCell"]


class LiGRUCell(PublishedCell):
    """A GRU for speech, without a reset gate and with ReLU candidates.

    z_t = s(W_z x_t + U_z h_{t-1} + b_z)              update gate  (1)
    n_t = relu(W_h x_t + U_h h_{t-1} + b_h)           candidate    (2)
    h_t = z_t * h_{t-1} + (1 - z_t) * n_t                          (3)

    Ravanelli, Brakel, Omologo & Bengio 2018, "Light Gated Recurrent Units for Speech Recognition",
    IEEE TETCI, arXiv:1803.10225. weight_ih (2H, I) and weight_hh (2H, H) in the order z, n.
    weight_ih is Glorot uniform and weight_hh orthogonal, gate by gate, as in the paper; biases
    zero. (The paper applies batch normalisation to W x_t; without it the candidate is unbounded.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.LiGRUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(0, math.inf),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=2)
        self.weight_ih = xavier(2 * hidden_size, input_size, gates=2)
        self.weight_hh = orthogonal(2 * hidden_size, hidden_size, gates=2)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        both = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        z, n = ops.split(both, 2, axis=-1)
        z = ops.sigmoid(z).named("update gate")
        n = ops.relu(n).named("candidate")
        new: Tensor = (z * h + (1 - z) * n).named("h")
        return new
