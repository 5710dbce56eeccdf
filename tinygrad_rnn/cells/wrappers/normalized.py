"""Layer normalisation of a state (Ba et al. 2016)."""

from __future__ import annotations

from typing import Any

from ... import pytree
from ...nn import Cell, LayerNorm
from .wrapper import Wrapper, shown, with_first

__all__ = ["NormalizedState"]


class NormalizedState(Wrapper):
    """h_t = LayerNorm(h of the cell inside), with a learned gain and bias (eq. 4).

    h is the first leaf of the state. Ba, Kiros & Hinton 2016, "Layer Normalization", normalise the
    inputs of the gates. This wrapper normalises the state from which the gates are computed, for
    any cell.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.NormalizedState(tg.nn.GRUCell(3, 4))
    >>> output, h = cell(tg.randn(2, 3))
    >>> bool(tg.all(abs(h.mean(axis=-1)) < 1e-6)), output is h
    (True, True)
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self.norm = LayerNorm(pytree.leaves(cell.initial_state(1))[0].shape[-1])

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell, its h normalised."""
        output, new = self.cell.advance(x, state, **inputs)
        normed = with_first(new, self.norm(pytree.leaves(new)[0]))
        return shown(output, new, normed), normed
