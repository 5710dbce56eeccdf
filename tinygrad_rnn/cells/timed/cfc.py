"""Closed-form continuous-time network (Hasani et al. 2022)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import as_weights, linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, xavier

__all__ = ["CfCCell"]


class CfCCell(Cell):
    """A continuous-time cell in closed form, without an ODE solver.

    z_t = 1.7159 tanh(0.666 (W_z (x_t, h_{t-1}) + b_z))        backbone
    g_t = tanh(W_g z_t + b_g),  n_t = tanh(W_n z_t + b_n)      start and target of the state
    s_t = s((W_a z_t + b_a) dt + W_b z_t + b_b)                how far it moves
    h_t = (1 - s_t) * g_t + s_t * n_t

    Hasani, Lechner, Amini, Liebenwein, Ray, Tschaikowski, Teschl & Rus 2022, "Closed-form
    Continuous-time Neural Networks", Nature Machine Intelligence 4, arXiv:2106.13898. `dt` (B, 1):
    the time since the previous step, 1 by default. Equation 10 of the paper has s(-f dt) as the
    factor of g; this is 1 - s_t with f = W_a z_t + b_a. The offset W_b z_t + b_b is only in the
    authors' code (ncps.torch.CfCCell, against which this cell is tested; its default backbone has
    128 units).

    `backbone_size` Z. weight_z (Z, I + H) and weight_ih (4H, Z), in the order g, n, a, b, Xavier
    uniform; biases bias_z (Z,) uniform in +-1 / sqrt(I + H) and bias_ih (4H,) in +-1 / sqrt(Z), as
    in that code. The state stays in (-1, 1).

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.cells.CfCCell(3, 4))
    >>> outputs, state = layer(tg.zeros(5, 2, 3), dt=0.5 * tg.ones(5, 2, 1))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int, backbone_size: int = 32) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.backbone_size = backbone_size
        seen = input_size + hidden_size
        self.weight_z = xavier(backbone_size, seen)
        self.bias_z = uniform(backbone_size, bound=seen**-0.5)
        self.weight_ih = xavier(4 * hidden_size, backbone_size, gates=4)
        self.bias_ih = uniform(4 * hidden_size, bound=backbone_size**-0.5)

    def step(self, x: Tensor, state: Tensor, dt: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
        """x (B, I), h_{t-1} (B, H) and dt (B, 1) -> h_t, as output and as state."""
        h = state
        x = as_weights(x, h.dtype)
        z = linear(ops.concatenate([x, h], axis=-1), self.weight_z, self.bias_z)
        z = 1.7159 * ops.tanh(0.666 * z)
        g, n, a, b = ops.split(linear(z, self.weight_ih, self.bias_ih), 4, axis=-1)
        s = ops.sigmoid(a * dt + b).named("time gate")
        h = ((1 - s) * ops.tanh(g) + s * ops.tanh(n)).named("h")
        return h, h
