"""Gated DeltaNet (Yang et al. 2025)."""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, NonExpanding
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, xavier, zeros

__all__ = ["GatedDeltaNetCell"]


class GatedDeltaNetCell(Cell):
    """A decaying matrix memory in which each write replaces the value stored under a key.

    q_t, k_t = normalised silu(W_q x_t), silu(W_k x_t);  v_t = silu(W_v x_t)
    b_t = s(W_b x_t)                                           writing strength, one per head
    a_t = exp(-exp(A_log) softplus(W_a x_t + b_a))             decay, one per head
    S_t = a_t S_{t-1} (I - b_t k_t k_t') + b_t v_t k_t'        (10)
    y_t = S_t q_t

    Yang, Kautz & Hatamizadeh 2025, "Gated Delta Networks: Improving Mamba2 with Delta Rule", ICLR,
    arXiv:2412.06464. `heads`: how many independent memories of d = H / heads rows and columns. The
    short convolutions, output gate and norm of the surrounding block are not part of the cell. (The
    authors' code divides q by sqrt(d); the output norm cancels this.)

    weight_ih (3H, I) in the order q, k, v and weight_gates (2 heads, I) in the order b, a Xavier
    uniform; A_log (heads,) the log of uniform in 0 .. 16 and bias_a (heads,) such that its softplus
    is log-uniform in 0.001 .. 0.1, as in the authors' code. The step is affine in its state.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.GatedDeltaNetCell(3, 8, heads=2)
    >>> outputs, [s] = tg.nn.Recurrent(cell)(tg.zeros(5, 2, 3))
    >>> outputs.shape, s.shape
    ((5, 2, 8), (2, 2, 4, 4))
    """

    claims = (Affine(), NonExpanding())

    def __init__(self, input_size: int, hidden_size: int, heads: int = 1) -> None:
        if hidden_size % heads:
            raise ValueError(f"hidden_size {hidden_size} is not divisible by {heads} heads")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.heads = heads
        self.weight_ih = xavier(3 * hidden_size, input_size, gates=3)
        self.weight_gates = xavier(2 * heads, input_size, gates=2)
        self.A_log = zeros(heads)
        self.A_log.data[:] = np.log(8 + 7.99 * uniform(heads, bound=1.0).data)
        self.bias_a = uniform(heads, bound=0.5 * math.log(100.0))
        step = np.exp(self.bias_a.data + math.log(0.01))
        self.bias_a.data[:] = step + np.log(-np.expm1(-step))  # the inverse of softplus

    def initial_state(self, batch_size: int) -> Tensor:
        """Zeros (B, heads, d, d)."""
        size = self.hidden_size // self.heads
        return self.zeros(batch_size, self.heads, size, size)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state (B, heads, d, d) -> y (B, H) and the next state."""
        qkv = ops.silu(linear(x, self.weight_ih))
        q, k, v = (ops.reshape(part, state.shape[:3]) for part in ops.split(qkv, 3, axis=-1))
        q, k = _normalised(q).named("query"), _normalised(k).named("key")
        b, a = ops.split(linear(x, self.weight_gates), 2, axis=-1)
        b = ops.expand_dims(ops.sigmoid(b), axis=-1).named("writing strength")
        a = ops.exp(-ops.exp(self.A_log) * ops.softplus(a + self.bias_a)).named("decay")
        s = ops.reshape(a, (*a.shape, 1, 1)) * state
        held = ops.einsum("bhvk,bhk->bhv", s, k)
        s = s + ops.expand_dims(b * (v - held), axis=-1) * ops.expand_dims(k, axis=-2)
        y = ops.einsum("bhvk,bhk->bhv", s, q)
        return ops.reshape(y, (y.shape[0], self.hidden_size)).named("y"), s.named("S")


def _normalised(a: Tensor) -> Tensor:
    """`a` scaled to length one, or less if it is tiny."""
    unit: Tensor = a / ops.sqrt(ops.sum(a * a, axis=-1, keepdims=True) + 1e-6)
    return unit
