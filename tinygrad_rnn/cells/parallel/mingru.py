"""minGRU (Feng et al. 2024)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Diagonal
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MinGRUCell"]


class MinGRUCell(PublishedCell):
    """A GRU whose gate and candidate do not depend on the state, so it can run in parallel in time.

    z_t = s(W_z x_t + b_z)                            update gate  (1)
    n_t = W_h x_t + b_h                               candidate    (2)
    h_t = (1 - z_t) * h_{t-1} + z_t * n_t                          (3)

    Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, "Were RNNs All We Needed?",
    arXiv:2410.01201. weight_ih (2H, I) in the order z, n, uniform in +-1 / sqrt(H); biases
    zero. The step is affine in its state.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MinGRUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Affine(), Diagonal())

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        z, n = ops.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
        z = ops.sigmoid(z).named("update gate")
        new: Tensor = ((1 - z) * h + z * n.named("candidate")).named("h")
        return new
