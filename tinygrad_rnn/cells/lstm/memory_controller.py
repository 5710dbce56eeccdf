"""LSTM with a memory controller (NIPS 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MCLSTMCell"]


class MCLSTMCell(PublishedCell):
    """An LSTM with separate output gates for its output and for what its gates read back.

    f_t = s(W_f x_t + U_f v_{t-1} + b_f)              forget gate   (1)
    i_t = s(W_i x_t + U_i v_{t-1} + b_i)              input gate    (2)
    o_t = s(W_o x_t + U_o v_{t-1} + b_o)              output gate   (3)
    m_t = s(W_m x_t + U_m v_{t-1} + b_m)              control gate  (4)
    n_t = tanh(W_n x_t + U_n v_{t-1} + b_n)           candidate     (5)
    c_t = f_t * c_{t-1} + i_t * n_t                                 (6)
    h_t = o_t * tanh(c_t)                             output        (7)
    v_t = m_t * tanh(c_t)                             control       (8)

    "Sequence Modeling Using a Memory Controller Extension for LSTM", NIPS 2017 Time Series
    Workshop; not the mass-conserving LSTM of 2021, which has the same short name. weight_ih (5H, I)
    and weight_hh (5H, H) in the order f, i, o, m, n, uniform in +-1 / sqrt(H); biases zero. The
    state is (v, c).

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MCLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (
        Bounded(-1, 1, leaf=0),
        Affine(leaf=1),
        Diagonal(leaf=1),
    )
    state_names = ("v", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=5, hh=5)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x (B, I) and the state, each leaf (B, H) -> the output h (B, H) and the next state."""
        v, c = state
        both = linear(x, self.weight_ih, self.bias_ih) + linear(v, self.weight_hh, self.bias_hh)
        f, i, o, m, n = ops.split(both, 5, axis=-1)
        f = ops.sigmoid(f).named("forget gate")
        i = ops.sigmoid(i).named("input gate")
        o = ops.sigmoid(o).named("output gate")
        m = ops.sigmoid(m).named("control gate")
        n = ops.tanh(n).named("candidate")
        c = (f * c + i * n).named("c")
        memory = ops.tanh(c)
        return (o * memory).named("h"), ((m * memory).named("v"), c)
