"""Attention over the last outputs of a cell (Cheng et al. 2016)."""

from __future__ import annotations

import math
from typing import Any

from ... import ops
from ...nn import Cell, Linear
from .wrapper import Wrapper

__all__ = ["AttentionOverPast"]


class AttentionOverPast(Wrapper):
    """The output attends to the last `steps` outputs of the wrapped cell.

    a_t = softmax(M_t W_q o_t / sqrt(H)),  output_t = tanh(W_o [o_t, sum_k a_tk M_tk])

    o_t is the output of the cell inside, M_t (B, steps, H) are the previous `steps` outputs, zero
    before the first step; they are part of the state. Adapted from Cheng, Dong & Lapata 2016, "Long
    Short-Term Memory-Networks for Machine Reading", with a memory of fixed size.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.AttentionOverPast(tg.nn.GRUCell(3, 4), steps=5)
    >>> output, (h, past) = cell(tg.zeros(2, 3))
    >>> output.shape, past.shape
    ((2, 4), (2, 5, 4))
    """

    def __init__(self, cell: Cell, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"AttentionOverPast needs at least 1 step to attend to, got {steps}")
        super().__init__(cell)
        self.steps = steps
        size = cell.output_size
        self.query = Linear(size, size, bias=False)
        self.mix = Linear(2 * size, size)

    def initial_state(self, batch_size: int) -> Any:
        """(the state of the wrapped cell, zeros for the earlier outputs)."""
        inner = self.cell.initial_state(batch_size)
        return inner, self.zeros(batch_size, self.steps, self.output_size)

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell, its output mixed with earlier ones."""
        inner, past = state
        own, new = self.cell.advance(x, inner, **inputs)
        query = ops.expand_dims(self.query(own), axis=1) / math.sqrt(self.output_size)
        attention = ops.softmax(ops.sum(past * query, axis=-1), axis=-1).named("attention")
        seen = ops.sum(past * ops.expand_dims(attention, axis=-1), axis=1)
        output = ops.tanh(self.mix(ops.concatenate([own, seen], axis=-1)))
        past = ops.concatenate([past[:, 1:], ops.expand_dims(own, axis=1)], axis=1)
        return output, (new, past)
