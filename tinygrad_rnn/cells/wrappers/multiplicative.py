"""Multiplicative recurrence (Krause et al. 2017)."""

from __future__ import annotations

from typing import Any

from ... import pytree
from ...nn import Cell, Linear
from .wrapper import Wrapper, with_first

__all__ = ["Multiplicative"]


class Multiplicative(Wrapper):
    """The wrapped cell gets m_t instead of h_{t-1}, so that x determines its recurrent matrix.

    m_t = (W_mx x_t) * (W_mh h_{t-1})                                                    (eq. 10)

    h is the first leaf of the state. `Multiplicative(LSTMCell(...))` is the multiplicative LSTM of
    Krause et al. 2017, "Multiplicative LSTM for sequence modelling", ICLR workshop.

    >>> import tinygrad_rnn as tg
    >>> outputs, _ = tg.nn.Recurrent(tg.cells.wrappers.Multiplicative(tg.nn.LSTMCell(3, 4)))(
    ...     tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        size = pytree.leaves(cell.initial_state(1))[0].shape[-1]
        self.from_x = Linear(cell.input_size, size, bias=False)
        self.from_h = Linear(size, size, bias=False)

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell, from m_t."""
        m = (self.from_x(x) * self.from_h(pytree.leaves(state)[0])).named("m")
        return self.cell.advance(x, with_first(state, m), **inputs)
