"""mLSTM: an LSTM with a matrix for a cell state (Beck et al. 2024)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, zeros

__all__ = ["mLSTMCell"]

State = tuple[Tensor, Tensor, Tensor]


class mLSTMCell(Cell):
    """A matrix memory of keys and values, with gates that do not depend on the state.

    q_t = W_q x_t + b_q                               query (22)
    k_t = (W_k x_t + b_k) / sqrt(d)                   key (23)
    v_t = W_v x_t + b_v                               value (24)
    i_t = exp(w_i' x_t + b_i),  f_t = s(w_f' x_t + b_f)           gates, one per head (25, 26)
    o_t = s(W_o x_t + b_o)                            output gate (27)
    C_t = f_t C_{t-1} + i_t v_t k_t'                  (19)
    n_t = f_t n_{t-1} + i_t k_t                       (20)
    h_t = o_t * C_t q_t / max(|n_t' q_t|, 1)          (21)

    C and n are stored times exp(-m_t), with m_t = max(log f_t + m_{t-1}, log i_t) (15), so that no
    exponential overflows; h is the same with any m.

    Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory", NeurIPS, arXiv:2405.04517. `heads`:
    how many independent matrices of d = H / heads rows and columns. weight_ih (4H, I) in the order
    q, k, v, o, normal with variance 2 / (5 I), weight_gates (2 heads, I) for i and f zero, biases
    zero, except 3 .. 6 for the forget gates and normal with standard deviation 0.1 for the input
    gates: the initial values of the authors' code (NX-AI/xlstm, in which the gates take q, k and v
    instead of x, and 1e-6 is added to the denominator). The step is affine in C and in n.

    >>> import tinygrad_rnn as tg
    >>> outputs, [(c, n, m)] = tg.nn.Recurrent(tg.cells.mLSTMCell(3, 8, heads=2))(tg.zeros(5, 2, 3))
    >>> outputs.shape, c.shape
    ((5, 2, 8), (2, 2, 4, 4))
    """

    claims = (Affine(leaf=0), Affine(leaf=1))

    def __init__(self, input_size: int, hidden_size: int, heads: int = 1) -> None:
        if hidden_size % heads:
            raise ValueError(f"hidden_size {hidden_size} is not divisible by {heads} heads")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.heads = heads
        self.weight_ih = normal(4 * hidden_size, input_size, std=(2 / (5 * input_size)) ** 0.5)
        self.bias_ih = zeros(4 * hidden_size)
        self.weight_gates = zeros(2 * heads, input_size)
        self.bias_gates = normal(2 * heads, std=0.1)
        self.bias_gates.data[heads:] = np.linspace(3.0, 6.0, heads)

    def initial_state(self, batch_size: int) -> State:
        """(C_0, n_0, m_0): zeros (B, heads, d, d), (B, heads, d) and (B, heads)."""
        size = self.hidden_size // self.heads
        return (
            self.zeros(batch_size, self.heads, size, size),
            self.zeros(batch_size, self.heads, size),
            self.zeros(batch_size, self.heads),
        )

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (B, I) and the state -> h (B, H) and the next state."""
        c, n, m = state
        q, k, v, o = ops.split(linear(x, self.weight_ih, self.bias_ih), 4, axis=-1)
        q, k, v = (ops.reshape(part, n.shape) for part in (q, k, v))
        k = k * n.shape[-1] ** -0.5
        log_i, f = ops.split(linear(x, self.weight_gates, self.bias_gates), 2, axis=-1)
        log_f = ops.log_sigmoid(f) + m
        m = ops.maximum(log_f, log_i).named("m")
        i = ops.expand_dims(ops.exp(log_i - m), axis=-1).named("input gate")
        f = ops.expand_dims(ops.exp(log_f - m), axis=-1).named("forget gate")
        written = ops.expand_dims(v, axis=-1) * ops.expand_dims(i * k, axis=-2)
        c = (ops.expand_dims(f, axis=-1) * c + written).named("C")
        n = (f * n + i * k).named("n")
        size = ops.maximum(ops.abs(ops.sum(n * q, axis=-1)), ops.exp(-m))
        read = ops.einsum("bhvk,bhk->bhv", c, q) / ops.expand_dims(size, axis=-1)
        h = ops.sigmoid(o).named("output gate") * ops.reshape(read, o.shape)
        return h.named("h"), (c, n, m)
