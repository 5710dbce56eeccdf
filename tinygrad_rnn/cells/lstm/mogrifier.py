"""Mogrifier LSTM (Melis et al. 2020)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["MogrifierLSTMCell"]


class MogrifierLSTMCell(Cell):
    """An LSTM whose x and h gate each other in turn before each step.

    x^i = 2 s(Q^i h^{i-1}) * x^{i-2}                  for odd i in 1 .. rounds (1)
    h^i = 2 s(R^i x^{i-1}) * h^{i-2}                  for even i (2)

    with x^{-1} = x_t and h^0 = h_{t-1}; the last x and the last h are the inputs of an LSTM.

    Melis, Kocisky & Blunsom 2020, "Mogrifier LSTM", ICLR, arXiv:1909.01792; Q and R have full rank.
    `rounds`: 5, as in the paper; with 0 it is an LSTM. weight_q (rounds of x, I, H) and weight_r
    (rounds of h, H, I), weight_ih (4H, I) and weight_hh (4H, H) in the order i, f, g, o, all
    uniform in +-1 / sqrt(H), biases zero (the paper gives no initial values).

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MogrifierLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0), Affine(leaf=1), Diagonal(leaf=1))

    def __init__(self, input_size: int, hidden_size: int, rounds: int = 5) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.rounds = rounds
        bound = hidden_size**-0.5
        self.weight_q = uniform((rounds + 1) // 2, input_size, hidden_size, bound=bound)
        self.weight_r = uniform(rounds // 2, hidden_size, input_size, bound=bound)
        self.weight_ih = uniform(4 * hidden_size, input_size, bound=bound)
        self.weight_hh = uniform(4 * hidden_size, hidden_size, bound=bound)
        self.bias_ih = zeros(4 * hidden_size)
        self.bias_hh = zeros(4 * hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(h_0, c_0): zeros (B, H)."""
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        for i in range(1, self.rounds + 1):
            if i % 2:
                x = (2 * ops.sigmoid(linear(h, self.weight_q[i // 2])) * x).named("gated x")
            else:
                h = (2 * ops.sigmoid(linear(x, self.weight_r[i // 2 - 1])) * h).named("gated h")
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        i = ops.sigmoid(i).named("input gate")
        f = ops.sigmoid(f).named("forget gate")
        g = ops.tanh(g).named("candidate")
        o = ops.sigmoid(o).named("output gate")
        c = (f * c + i * g).named("c")
        return (o * ops.tanh(c)).named("h"), c
