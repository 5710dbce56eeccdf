"""LSTM with a recurrent projection (Sak et al. 2014)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Diagonal
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform

__all__ = ["ProjectedLSTMCell"]


class ProjectedLSTMCell(Cell):
    """An LSTM whose output, also fed back, is a smaller projection r of its memory cells.

    i, f, o = s(W x_t + U r_{t-1} + b),  g = tanh(W_g x_t + U_g r_{t-1} + b_g)
    c_t = f * c_{t-1} + i * g
    m_t = o * tanh(c_t)
    r_t = W_r m_t

    Sak, Senior & Beaufays 2014, "Long Short-Term Memory Based Recurrent Neural Network
    Architectures for Large Vocabulary Speech Recognition", arXiv:1402.1128, without peepholes and
    without its second, non-recurrent projection: PyTorch's `LSTM(proj_size=...)`, with the same
    parameters. weight_ih (4H, I) and weight_hh (4H, P) in the order i, f, g, o, weight_hr (P, H),
    biases (4H,), all uniform in +-1 / sqrt(H). The state is (r, c), (B, P) and (B, H); the output
    is r.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.ProjectedLSTMCell(3, 8, projection_size=2)
    >>> outputs, [(r, c)] = tg.nn.Recurrent(cell)(tg.zeros(5, 2, 3))
    >>> outputs.shape, c.shape
    ((5, 2, 2), (2, 8))
    """

    claims = (Affine(leaf=1), Diagonal(leaf=1))

    def __init__(self, input_size: int, hidden_size: int, projection_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.projection_size = projection_size
        bound = hidden_size**-0.5
        self.weight_ih = uniform(4 * hidden_size, input_size, bound=bound)
        self.weight_hh = uniform(4 * hidden_size, projection_size, bound=bound)
        self.bias_ih = uniform(4 * hidden_size, bound=bound)
        self.bias_hh = uniform(4 * hidden_size, bound=bound)
        self.weight_hr = uniform(projection_size, hidden_size, bound=bound)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(r_0, c_0): zeros (B, P) and (B, H)."""
        return self.zeros(batch_size, self.projection_size), self.zeros(
            batch_size, self.hidden_size
        )

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I), (r_{t-1}, c_{t-1}) -> (r_t, c_t)."""
        r, c = state
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(r, self.weight_hh, self.bias_hh)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        i = ops.sigmoid(i).named("input gate")
        f = ops.sigmoid(f).named("forget gate")
        g = ops.tanh(g).named("candidate")
        o = ops.sigmoid(o).named("output gate")
        c = (f * c + i * g).named("c")
        return linear(o * ops.tanh(c), self.weight_hr).named("h"), c
