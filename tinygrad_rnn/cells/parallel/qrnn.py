"""Quasi-recurrent network (Bradbury et al. 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import as_weights
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["QRNNCell"]

State = tuple[Tensor, Tensor]


class QRNNCell(Cell):
    """Gates from a convolution over recent inputs; the recurrence is only a weighted average.

    z_t = tanh(W_z (x_{t-k+1}, ..., x_t))                      (1, 2)
    f_t = s(W_f (x_{t-k+1}, ..., x_t)),  o_t likewise
    c_t = f_t * c_{t-1} + (1 - f_t) * z_t                      fo-pooling (4)
    h_t = o_t * c_t

    Bradbury, Merity, Xiong & Socher 2017, "Quasi-Recurrent Neural Networks", ICLR,
    arXiv:1611.01576. `window` k: how many inputs a gate sees. weight_ih (k, 3H, I), the oldest
    input first, in the order z, f, o, uniform in +-1 / sqrt(k I); bias_ih (3H,) zero (the paper
    gives no initial values). The state is (c, the last k - 1 inputs (B, k - 1, I)). The step is
    affine in c, separately for each unit, and |c_t| < 1.

    >>> import tinygrad_rnn as tg
    >>> outputs, [(c, past)] = tg.nn.Recurrent(tg.cells.QRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape, past.shape
    ((5, 2, 4), (2, 1, 3))
    """

    claims = (Bounded(-1, 1, leaf=0), Affine(leaf=0), Diagonal(leaf=0))

    def __init__(self, input_size: int, hidden_size: int, window: int = 2) -> None:
        if window < 1:
            raise ValueError(f"window must be 1 or more, got {window}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.window = window
        bound = (window * input_size) ** -0.5
        self.weight_ih = uniform(window, 3 * hidden_size, input_size, bound=bound)
        self.bias_ih = zeros(3 * hidden_size)

    def initial_state(self, batch_size: int) -> State:
        """(c_0, no inputs): zeros (B, H) and (B, k - 1, I)."""
        return (
            self.zeros(batch_size, self.hidden_size),
            self.zeros(batch_size, self.window - 1, self.input_size),
        )

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (B, I) and the state -> h (B, H) and the next state."""
        c, past = state
        x = as_weights(x, past.dtype)
        seen = ops.concatenate([past, ops.expand_dims(x, axis=1)], axis=1)
        gates = ops.einsum("bki,kgi->bg", seen, self.weight_ih) + self.bias_ih
        z, f, o = ops.split(gates, 3, axis=-1)
        z = ops.tanh(z).named("candidate")
        f = ops.sigmoid(f).named("forget gate")
        o = ops.sigmoid(o).named("output gate")
        c = (f * c + (1 - f) * z).named("c")
        return (o * c).named("h"), (c, seen[:, 1:])
