"""RWKV-4: attention as a recurrence (Peng et al. 2023)."""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn import init
from ...nn.claims import Affine, Diagonal
from ...nn.functional import as_weights, linear
from ...nn.layers import empty_parameter
from ...nn.recurrent.cell import Cell
from ..parameters import zeros

__all__ = ["RWKV4Cell"]

State = tuple[Tensor, Tensor, Tensor, Tensor]


class RWKV4Cell(Cell):
    """An average of all past values, weighted by their keys and their age.

    r_t, k_t, v_t = W (mu * x_t + (1 - mu) * x_{t-1})          each with a W and mu (11 to 13)
    wkv_t = (a_{t-1} + exp(u + k_t) * v_t) / (b_{t-1} + exp(u + k_t))                 (14)
    y_t = W_o (s(r_t) * wkv_t)                                 (15)
    a_t = exp(-w) * a_{t-1} + exp(k_t) * v_t,  b_t = exp(-w) * b_{t-1} + exp(k_t)     (appendix D)

    w = exp(decay) > 0 is how fast a channel forgets; u is the extra weight of the current step. a
    and b are stored times exp(-p), where p is the largest exponent so far, so that none overflows.

    Peng et al. 2023, "RWKV: Reinventing RNNs for the Transformer Era", EMNLP Findings,
    arXiv:2305.13048: this is time mixing; channel mixing is a separate layer, whose only memory is
    x_{t-1}. mix (3, I) and weight_ih (3H, I) in the order r, k, v, weight_o (H, H), decay (H,),
    bonus u (H,). They start as in the first layer of the authors' model, except the matrices, which
    are orthogonal: the zeros of the model for r, k and o only suit residual blocks. The state is
    (x_{t-1}, a, b, p); it is affine in a and b.

    >>> import tinygrad_rnn as tg
    >>> outputs, [state] = tg.nn.Recurrent(tg.cells.RWKV4Cell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape, state[0].shape
    ((5, 2, 4), (2, 3))
    """

    claims = (Affine(leaf=1), Affine(leaf=2), Diagonal(leaf=1))

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        channel = np.arange(input_size) / input_size
        self.mix = zeros(3, input_size)
        self.mix.data[:] = channel**0.5, channel, channel
        self.weight_ih = empty_parameter(3 * hidden_size, input_size)
        for part in np.split(self.weight_ih.data, 3):
            part[:] = init.orthogonal_(empty_parameter(hidden_size, input_size)).data
        self.weight_o = init.orthogonal_(empty_parameter(hidden_size, hidden_size))
        unit = np.arange(hidden_size)
        self.decay = zeros(hidden_size)
        self.decay.data[:] = 8 * (unit / max(hidden_size - 1, 1)) ** 0.7 - 5
        self.bonus = zeros(hidden_size)
        self.bonus.data[:] = math.log(0.3) + 0.5 * ((unit + 1) % 3 - 1)

    def initial_state(self, batch_size: int) -> State:
        """(x_{-1}, a_0, b_0, p_0): zeros (B, I) and (B, H)."""
        zeros = self.zeros(batch_size, self.hidden_size)
        return self.zeros(batch_size, self.input_size), zeros, zeros, zeros

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """x (B, I) and the state -> y (B, H) and the next state."""
        before, a, b, p = state
        x = as_weights(x, before.dtype)
        mixed = (mu * x + (1 - mu) * before for mu in ops.unstack(self.mix))
        r, k, v = (
            linear(one, weight)
            for one, weight in zip(mixed, ops.split(self.weight_ih, 3), strict=True)
        )
        most = ops.maximum(p, self.bonus + k)
        past, now = ops.exp(p - most), ops.exp(self.bonus + k - most)
        wkv = ((past * a + now * v) / (past * b + now)).named("wkv")
        y = linear(ops.sigmoid(r).named("receptance") * wkv, self.weight_o)

        p = p - ops.exp(self.decay)
        most = ops.maximum(p, k).named("p")
        past, now = ops.exp(p - most), ops.exp(k - most)
        a = (past * a + now * v).named("a")
        b = (past * b + now).named("b")
        return y.named("y"), (ops.copy(x), a, b, most)
