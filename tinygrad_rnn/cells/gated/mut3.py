"""Mutated unit 3 (Jozefowicz et al. 2015)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MUT3Cell"]


class MUT3Cell(PublishedCell):
    """Found by architecture search: a GRU whose update gate takes tanh of the state.

    z_t = s(W_z x_t + U_z tanh(h_{t-1}) + b_z)        update gate  (1)
    r_t = s(W_r x_t + U_r h_{t-1} + b_r)              reset gate   (2)
    n_t = tanh(U_h (r_t * h_{t-1}) + W_h x_t + b_h)   candidate    (3)
    h_t = n_t * z_t + h_{t-1} * (1 - z_t)                          (4)

    Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network
    Architectures", ICML, section 3.4. weight_ih (3H, I) and weight_hh (3H, H) in the order z, r, h,
    uniform in +-1 / sqrt(H); bias_ih (3H,) zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MUT3Cell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3, hh=3, bias_hh=0)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        z, r, n = ops.split(linear(x, self.weight_ih, self.bias_ih), 3, axis=-1)
        u_z, u_r, u_h = ops.split(self.weight_hh, 3)
        z = ops.sigmoid(z + linear(ops.tanh(h), u_z)).named("update gate")
        r = ops.sigmoid(r + linear(h, u_r)).named("reset gate")
        n = ops.tanh(n + linear(r * h, u_h)).named("candidate")
        new: Tensor = (n * z + h * (1 - z)).named("h")
        return new
