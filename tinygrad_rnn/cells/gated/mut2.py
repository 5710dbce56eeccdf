"""Mutated unit 2 (Jozefowicz et al. 2015)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MUT2Cell"]


class MUT2Cell(PublishedCell):
    """Found by architecture search: a GRU whose reset gate takes the input unweighted.

    z_t = s(W_z x_t + U_z h_{t-1} + b_z)              update gate  (1)
    r_t = s(x_t + U_r h_{t-1} + b_r)                  reset gate   (2)
    n_t = tanh(U_h (r_t * h_{t-1}) + W_h x_t + b_h)   candidate    (3)
    h_t = n_t * z_t + h_{t-1} * (1 - z_t)                          (4)

    Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network
    Architectures", ICML, section 3.4. weight_ih (2H, I) in the order z, h, weight_hh (3H, H) in the
    order z, r, h, uniform in +-1 / sqrt(H); bias_ih (3H,) zero. Equation 2 needs x_t and h_t of the
    same size. If the sizes differ, x_t is projected by weight_proj (H, I). (torchrecurrent 0.2.5
    always projects it, with a bias.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MUT2Cell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=3, bias_ih=3, bias_hh=0, project=True)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        z, n = ops.split(linear(x, self.weight_ih), 2, axis=-1)
        u_z, u_r, u_h = ops.split(self.weight_hh, 3)
        b_z, b_r, b_h = ops.split(self.bias_ih, 3)
        z = ops.sigmoid(z + linear(h, u_z, b_z)).named("update gate")
        r = ops.sigmoid(self.projected(x) + linear(h, u_r, b_r)).named("reset gate")
        n = ops.tanh(linear(r * h, u_h, b_h) + n).named("candidate")
        new: Tensor = (n * z + h * (1 - z)).named("h")
        return new
