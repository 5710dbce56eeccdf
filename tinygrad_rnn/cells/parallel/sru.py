"""Simple recurrent unit (Lei et al. 2018)."""

from __future__ import annotations

import math

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Diagonal
from ...nn.functional import as_weights, linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["SRUCell"]


class SRUCell(Cell):
    """Each unit depends only on its own state, with a highway connection for the input.

    f_t = s(W_f x_t + v_f * c_{t-1} + b_f)                     forget gate
    c_t = f_t * c_{t-1} + (1 - f_t) * (W x_t)
    r_t = s(W_r x_t + v_r * c_{t-1} + b_r)                     reset gate
    h_t = r_t * c_t + (1 - r_t) * alpha x_t

    If H differs from I, h_t uses W_s x_t instead of x_t, as in the authors' code.

    Lei, Zhang, Wang, Dai & Artzi 2018, "Simple Recurrent Units for Highly Parallelizable
    Recurrence", EMNLP, arXiv:1709.02755. `highway_bias`: the initial value of b_r; alpha is the
    constant sqrt(1 + 2 exp(highway_bias)), so that h has the variance of x (section 3.2). weight_ih
    (3H or 4H, I) in the order c, f, r, s, uniform in +-sqrt(3 / I); weight_ch (2H,) v_f and v_r,
    uniform in +-1; bias_ih (2H,). The state is c; its units do not depend on one another.

    >>> import tinygrad_rnn as tg
    >>> outputs, c = tg.nn.Recurrent(tg.cells.SRUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Diagonal(),)

    def __init__(self, input_size: int, hidden_size: int, highway_bias: float = 0.0) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.alpha = (1 + 2 * math.exp(highway_bias)) ** 0.5
        rows = 3 if input_size == hidden_size else 4
        self.weight_ih = uniform(rows * hidden_size, input_size, bound=(3 / input_size) ** 0.5)
        self.weight_ch = uniform(2 * hidden_size, bound=1.0)
        self.bias_ih = zeros(2 * hidden_size)
        self.bias_ih.data[hidden_size:] = highway_bias

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, I) and c_{t-1} (B, H) -> h_t and c_t."""
        c = state
        rows = self.weight_ih.shape[0] // self.hidden_size
        new, f, r, *skip = ops.split(linear(x, self.weight_ih), rows, axis=-1)
        b_f, b_r = ops.split(self.bias_ih, 2)
        v_f, v_r = ops.split(self.weight_ch, 2)
        f = ops.sigmoid(f + v_f * c + b_f).named("forget gate")
        r = ops.sigmoid(r + v_r * c + b_r).named("reset gate")
        c = (f * c + (1 - f) * new).named("c")
        carried = skip[0] if skip else as_weights(x, c.dtype)
        return (r * c + (1 - r) * (self.alpha * carried)).named("h"), c
