"""LSTM with layer normalisation (Ba et al. 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import linear
from ...nn.layers import LayerNorm
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["LayerNormLSTMCell"]


class LayerNormLSTMCell(Cell):
    """An LSTM with layer normalisation of its gates and output, but not of the cell state.

    (i, f, g, o) = LN(W_h h_{t-1}; a_1, b_1) + LN(W_x x_t; a_2, b_2) + b          (20)
    c_t = s(f) * c_{t-1} + s(i) * tanh(g)                                         (21)
    h_t = s(o) * tanh(LN(c_t; a_3, b_3))                                          (22)

    Ba, Kiros & Hinton 2016, "Layer Normalization", arXiv:1607.06450, supplement. Each LN is over
    all units of its argument, (4H,) or (H,). weight_ih (4H, I) and weight_hh (4H, H) in the order
    i, f, g, o, as `LSTMCell`, uniform in +-1 / sqrt(H); norm_ih, norm_hh and norm_c are LayerNorms
    with weight one and bias zero, bias_ih (4H,) zero. (The LayerNormLSTMCell of PyTorch's
    benchmarks, fastrnns/custom_lstms.py, stores the normalised c, so every step normalises an
    already normalised value again. Equation 21 stores c unnormalised.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.LayerNormLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0), Affine(leaf=1), Diagonal(leaf=1))

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        bound = hidden_size**-0.5
        self.weight_ih = uniform(4 * hidden_size, input_size, bound=bound)
        self.weight_hh = uniform(4 * hidden_size, hidden_size, bound=bound)
        self.bias_ih = zeros(4 * hidden_size)
        self.norm_ih = LayerNorm(4 * hidden_size)
        self.norm_hh = LayerNorm(4 * hidden_size)
        self.norm_c = LayerNorm(hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(h_0, c_0): zeros (B, H)."""
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        gates = self.norm_hh(linear(h, self.weight_hh)) + self.norm_ih(linear(x, self.weight_ih))
        i, f, g, o = ops.split(gates + self.bias_ih, 4, axis=-1)
        i = ops.sigmoid(i).named("input gate")
        f = ops.sigmoid(f).named("forget gate")
        g = ops.tanh(g).named("candidate")
        o = ops.sigmoid(o).named("output gate")
        c = (f * c + i * g).named("c")
        return (o * ops.tanh(self.norm_c(c))).named("h"), c
