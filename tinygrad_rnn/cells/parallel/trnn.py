"""Strongly typed RNN (Balduzzi & Ghifary 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Diagonal
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["TRNNCell"]


class TRNNCell(PublishedCell):
    """No matrix acts on the state, so that its features keep their meaning from step to step.

    z_t = W x_t                                       candidate    (1)
    f_t = s(V x_t + b)                                forget gate  (2)
    h_t = f_t * h_{t-1} + (1 - f_t) * z_t                          (3)

    Balduzzi & Ghifary 2016, "Strongly-Typed Recurrent Neural Networks", ICML, arXiv:1602.02218,
    section 4. weight_ih (2H, I) in the order z, f, uniform in +-1 / sqrt(H); bias_ih (H,), of f,
    zero. (torchrecurrent 0.2.5 has a bias in (1), too.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.TRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Affine(), Diagonal())

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, bias_ih=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        z, f = ops.split(linear(x, self.weight_ih), 2, axis=-1)
        f = ops.sigmoid(f + self.bias_ih).named("forget gate")
        new: Tensor = (f * h + (1 - f) * z.named("candidate")).named("h")
        return new
