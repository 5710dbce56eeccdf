"""Mutated unit 1 (Jozefowicz et al. 2015)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MUT1Cell"]


class MUT1Cell(PublishedCell):
    """Found by architecture search: a GRU whose update gate depends on the input alone.

    z_t = s(W_z x_t + b_z)                            update gate  (1)
    r_t = s(W_r x_t + U_r h_{t-1} + b_r)              reset gate   (2)
    n_t = tanh(U_h (r_t * h_{t-1}) + tanh(x_t) + b_h) candidate    (3)
    h_t = n_t * z_t + h_{t-1} * (1 - z_t)                          (4)

    Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network
    Architectures", ICML, section 3.4, from a search over ten thousand architectures. weight_ih (2H,
    I) in the order z, r, weight_hh (2H, H) in the order r, h, uniform in +-1 / sqrt(H); bias_ih
    (3H,) zero. Equation 3 needs x_t and h_t of the same size. If the sizes differ, x_t is projected
    by weight_proj (H, I). (torchrecurrent 0.2.5 always projects it, with a bias.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MUT1Cell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=2, bias_ih=3, bias_hh=0, project=True)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        z, r = ops.split(linear(x, self.weight_ih), 2, axis=-1)
        u_r, u_h = ops.split(self.weight_hh, 2)
        b_z, b_r, b_h = ops.split(self.bias_ih, 3)
        z = ops.sigmoid(z + b_z).named("update gate")
        r = ops.sigmoid(r + linear(h, u_r, b_r)).named("reset gate")
        n = ops.tanh(linear(r * h, u_h, b_h) + ops.tanh(self.projected(x))).named("candidate")
        new: Tensor = (n * z + h * (1 - z)).named("h")
        return new
