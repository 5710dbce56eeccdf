"""minLSTM (Feng et al. 2024)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Diagonal
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MinLSTMCell"]


class MinLSTMCell(PublishedCell):
    """An LSTM whose gates do not depend on the state and are normalised to sum to one.

    f_t = s(W_f x_t + b_f),  i_t = s(W_i x_t + b_i)   gates      (1)
    n_t = W_h x_t + b_h                               candidate  (2)
    h_t = f_t / (f_t + i_t) * h_{t-1} + i_t / (f_t + i_t) * n_t  (3)

    Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, "Were RNNs All We Needed?",
    arXiv:2410.01201. weight_ih (3H, I) in the order f, i, n, uniform in +-1 / sqrt(H); biases
    zero. The step is affine in its state.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MinLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Affine(), Diagonal())

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        f, i, n = ops.split(linear(x, self.weight_ih, self.bias_ih), 3, axis=-1)
        f = ops.sigmoid(f).named("forget gate")
        i = ops.sigmoid(i).named("input gate")
        both = f + i
        new: Tensor = (f / both * h + i / both * n.named("candidate")).named("h")
        return new
