"""Recurrent highway network (Zilly et al. 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["RHNCell"]


class RHNCell(Cell):
    """Several highway layers per time step: a deep transition from one state to the next.

    h_l = tanh(W_h x_t [l = 1] + R_h,l s_{l-1} + b_h,l)        (7)
    t_l = s(W_t x_t [l = 1] + R_t,l s_{l-1} + b_t,l)           transform gate (8)
    s_l = h_l * t_l + s_{l-1} * (1 - t_l)                      (6), carry gate coupled

    for l = 1 .. depth, where s_0 is the state and s_depth the next state.

    Zilly, Srivastava, Koutnik & Schmidhuber 2017, "Recurrent Highway Networks", ICML,
    arXiv:1607.03474. weight_ih (2H, I), weight_hh (depth, 2H, H) and bias_hh (depth, 2H) in the
    order h, t; weights uniform in +-0.04 and the transform gate's biases -2, as in the authors'
    code for the Penn Treebank, other biases zero. The state stays in (-1, 1).

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.RHNCell(3, 4, depth=5))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int, depth: int = 3) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.depth = depth
        self.weight_ih = uniform(2 * hidden_size, input_size, bound=0.04)
        self.weight_hh = uniform(depth, 2 * hidden_size, hidden_size, bound=0.04)
        self.bias_hh = zeros(depth, 2 * hidden_size)
        self.bias_hh.data[:, hidden_size:] = -2.0

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        s = state
        for layer in range(self.depth):
            both = linear(s, self.weight_hh[layer], self.bias_hh[layer])
            if layer == 0:
                both = both + linear(x, self.weight_ih)
            h, t = ops.split(both, 2, axis=-1)
            h = ops.tanh(h).named("candidate")
            t = ops.sigmoid(t).named("transform gate")
            s = (h * t + s * (1 - t)).named("s")
        return s
