"""Variational (recurrent) dropout (Gal & Ghahramani 2016)."""

from __future__ import annotations

from typing import Any

from ... import ops, pytree
from ...nn import Cell
from .wrapper import Wrapper, dropout_mask, with_first

__all__ = ["VariationalDropout"]


class VariationalDropout(Wrapper):
    """Dropout of x and h with the same mask at every step of a sequence (eq. 7).

    x_t * z_x and h_{t-1} * z_h, with z ~ Bernoulli(1 - rate) / (1 - rate), drawn by `initial_state`
    for each row while training, and 1 in evaluation. h is the first leaf of the state. The masks
    are part of the state, so a state that is passed to the next call keeps them. Gal & Ghahramani
    2016, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", NeurIPS.
    ValueError for a rate outside [0, 1).

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.VariationalDropout(tg.nn.LSTMCell(3, 4), 0.5)
    >>> state, (of_x, of_h) = cell.initial_state(2)
    >>> of_x.shape, of_h.shape
    ((2, 3), (2, 4))
    """

    def __init__(self, cell: Cell, rate: float) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be at least 0 and below 1, got {rate}")
        super().__init__(cell)
        self.rate = rate

    def initial_state(self, batch_size: int) -> Any:
        """(the state of the wrapped cell, the masks of x and of h)."""
        inner = self.cell.initial_state(batch_size)
        h = pytree.leaves(inner)[0]
        return inner, (self._mask(self.zeros(batch_size, self.input_size)), self._mask(h))

    def _mask(self, like: Any) -> Any:
        return dropout_mask(like, self.rate) if self.training else ops.ones_like(like).detach()

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell, on the masked x and h."""
        inner, masks = state
        of_x, of_h = masks
        masked = with_first(inner, pytree.leaves(inner)[0] * of_h)
        output, new = self.cell.advance(x * of_x, masked, **inputs)
        return output, (new, masks)
