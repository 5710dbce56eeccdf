"""sLSTM: an LSTM with exponential gates (Beck et al. 2024)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, zeros

__all__ = ["sLSTMCell"]


class sLSTMCell(Cell):
    """An exponential input gate can revise what was stored; a normaliser n keeps h bounded.

    z_t = tanh(W_z x_t + R_z h_{t-1} + b_z)           cell input (11)
    i_t = exp(W_i x_t + R_i h_{t-1} + b_i)            input gate (12)
    f_t = s(W_f x_t + R_f h_{t-1} + b_f)              forget gate (13)
    o_t = s(W_o x_t + R_o h_{t-1} + b_o)              output gate (14)
    c_t = f_t * c_{t-1} + i_t * z_t                   (8)
    n_t = f_t * n_{t-1} + i_t                         normaliser (9)
    h_t = o_t * c_t / n_t                             (10)

    c and n are stored times exp(-m_t), with m_t = max(log f_t + m_{t-1}, log i_t) (15), so that no
    exponential overflows (16, 17); h is the same with any m.

    Beck, Poeppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter & Hochreiter 2024,
    "xLSTM: Extended Long Short-Term Memory", NeurIPS, arXiv:2405.04517; one head, with a sigmoid
    forget gate. weight_ih (4H, I) in the order z, i, f, o, normal with variance 2 / (5 I);
    weight_hh (4H, H) and the biases zero, except the forget gate's bias, which falls from 5 to -7
    as a power law: the initial values of the authors' code (NX-AI/xlstm). |h_t| < 1 from the
    initial state on. The state is (h, c, n, m).

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.sLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = normal(4 * hidden_size, input_size, std=(2 / (5 * input_size)) ** 0.5)
        self.weight_hh = zeros(4 * hidden_size, hidden_size)
        self.bias_ih = zeros(4 * hidden_size)
        spread = np.arange(hidden_size) / max(hidden_size - 1, 1)
        self.bias_ih.data[2 * hidden_size : 3 * hidden_size] = 5.0 - 12.0 * spread**0.3

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(h_0, c_0, n_0, m_0): zeros (B, H)."""
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros, zeros, zeros

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c, n, m = state
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh)
        z, log_i, f, o = ops.split(gates, 4, axis=-1)
        z = ops.tanh(z).named("cell input")
        o = ops.sigmoid(o).named("output gate")
        log_f = ops.log_sigmoid(f) + m
        m = ops.maximum(log_f, log_i).named("m")
        i = ops.exp(log_i - m).named("input gate")
        f = ops.exp(log_f - m).named("forget gate")
        c = (f * c + i * z).named("c")
        n = (f * n + i).named("n")
        return (o * (c / n)).named("h"), c, n, m
