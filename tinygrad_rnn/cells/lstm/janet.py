"""JANET: just another network (van der Westhuizen & Lasenby 2018)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Diagonal
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["JANETCell"]


class JANETCell(PublishedCell):
    """An LSTM with only the forget gate.

    s_t = U_f h_{t-1} + W_f x_t + b_f                            (1)
    n_t = tanh(U_c h_{t-1} + W_c x_t + b_c)           candidate  (2)
    c_t = s(s_t) * c_{t-1} + (1 - s(s_t - beta)) * n_t           (3)
    h_t = c_t                                                    (4)

    van der Westhuizen & Lasenby 2018, "The unreasonable effectiveness of the forget gate",
    arXiv:1804.04849. With `beta` > 0 (default 1.0) more is added than is forgotten. weight_ih (2H,
    I) and weight_hh (2H, H) in the order f, n, uniform in +-1 / sqrt(H); biases zero (the paper's
    chrono initialisation of b_f needs the length of the sequences).

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.JANETCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Affine(leaf=1), Diagonal(leaf=1))
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int, beta: float = 1.0) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=2)
        self.beta = beta

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        both = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        s, n = ops.split(both, 2, axis=-1)
        f = ops.sigmoid(s).named("forget gate")
        n = ops.tanh(n).named("candidate")
        c = (f * c + (1 - ops.sigmoid(s - self.beta)) * n).named("c")
        return c, c
