"""Stackable recurrent cell (Turkoglu et al. 2019)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["STARCell"]


class STARCell(PublishedCell):
    """One gate, designed so that gradients keep their magnitude through layers and time.

    z_t = tanh(W_z x_t + b_z)                         input embedding  (1)
    k_t = s(W_x x_t + W_h h_{t-1} + b_k)              gate             (2)
    h_t = tanh((1 - k_t) * h_{t-1} + k_t * z_t)                        (3)

    Turkoglu, D'Aronco, Wegner & Schindler 2019, "Gating Revisited: Deep Multi-layer RNNs That
    Can Be Trained", arXiv:1911.11033. weight_ih (2H, I) in the order z, k and weight_hh (H, H),
    uniform in +-1 / sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.STARCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        z, k = ops.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
        z = ops.tanh(z).named("input embedding")
        k = ops.sigmoid(k + linear(h, self.weight_hh, self.bias_hh)).named("gate")
        new: Tensor = ops.tanh((1 - k) * h + k * z).named("h")
        return new
