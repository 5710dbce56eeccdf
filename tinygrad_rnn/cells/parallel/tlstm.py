"""Strongly typed LSTM (Balduzzi & Ghifary 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Diagonal
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["TLSTMCell"]


class TLSTMCell(PublishedCell):
    """An LSTM whose gates depend on the last two inputs instead of the state.

    z_t = V_z x_{t-1} + W_z x_t + b_z                 candidate    (1)
    f_t = s(V_f x_{t-1} + W_f x_t + b_f)              forget gate  (2)
    o_t = tanh(V_o x_{t-1} + W_o x_t + b_o)           output gate  (3)
    c_t = f_t * c_{t-1} + (1 - f_t) * z_t                          (4)
    h_t = c_t * o_t                                   output       (5)

    Balduzzi & Ghifary 2016, "Strongly-Typed Recurrent Neural Networks", ICML, arXiv:1602.02218,
    section 4. weight_ih (3H, I), of x_t, and weight_hh (3H, I), of x_{t-1}, in the order z, f, o,
    uniform in +-1 / sqrt(H); biases zero. The state is c (B, H) and V x_{t-1} (B, 3H), initially
    zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.TLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (
        Affine(leaf=0),
        Diagonal(leaf=0),
    )

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3)
        self.weight_hh = uniform(3 * hidden_size, input_size, bound=hidden_size**-0.5)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """c_0 and V x_0: zeros (B, H) and (B, 3H)."""
        size = self.hidden_size
        return self.zeros(batch_size, size), self.zeros(batch_size, 3 * size)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x (B, I) and the state, c (B, H) and V x_{t-1} (B, 3H) -> the output h and the next."""
        c, before = state
        z, f, o = ops.split(before + linear(x, self.weight_ih, self.bias_ih), 3, axis=-1)
        f = ops.sigmoid(f).named("forget gate")
        o = ops.tanh(o).named("output gate")
        c = (f * c + (1 - f) * z.named("candidate")).named("c")
        return (c * o).named("h"), (c, linear(x, self.weight_hh))
