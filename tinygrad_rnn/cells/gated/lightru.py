"""Light recurrent unit (Ye et al. 2024)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["LightRUCell"]


class LightRUCell(PublishedCell):
    """One gate, and a candidate that does not depend on the state.

    n_t = tanh(W_h x_t + b_h)                         candidate    (1)
    f_t = s(W_f x_t + U_f h_{t-1} + b_f)              forget gate  (2)
    h_t = (1 - f_t) * h_{t-1} + f_t * n_t                          (3)

    Ye, Zhang, Liu, Li, Chang & Zheng 2024, "Light Recurrent Unit: Towards an Interpretable
    Recurrent Neural Network for Modeling Long-Range Dependency", Electronics 13(16):3204. weight_ih
    (2H, I) in the order n, f and weight_hh (H, H), uniform in +-1 / sqrt(H); biases zero.
    torchrecurrent has b_h, too; RecurrentLayers.jl and light-recurrent-unit-pytorch compute the
    same with b_h = 0.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.LightRUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        n, f = ops.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
        n = ops.tanh(n).named("candidate")
        f = ops.sigmoid(f + linear(h, self.weight_hh, self.bias_hh)).named("forget gate")
        new: Tensor = ((1 - f) * h + f * n).named("h")
        return new
