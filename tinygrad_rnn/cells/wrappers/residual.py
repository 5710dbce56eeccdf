"""A residual connection around a cell (He et al. 2016; Wu et al. 2016)."""

from __future__ import annotations

from typing import Any

from ...nn import Cell
from .wrapper import Wrapper

__all__ = ["Residual"]


class Residual(Wrapper):
    """output_t = x_t + the output of the wrapped cell; both must have the same size.

    Wu et al. 2016, "Google's Neural Machine Translation System", section 3.1. In
    `nn.Recurrent(cell, residual=True)` the first layer has no residual connection; with this
    wrapper it has one. ValueError if the sizes differ.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.Residual(tg.nn.GRUCell(3, 3))
    >>> x = tg.ones(2, 3)
    >>> output, h = cell(x)
    >>> bool(tg.all(output == x + h))
    True
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        if getattr(cell, "input_size", self.output_size) != self.output_size:
            raise ValueError(
                f"a residual connection adds x, {cell.input_size} features, to the output, "
                f"{self.output_size}: they must have the same size (wrap the cell in Projection)"
            )

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell, with x added to its output."""
        output, new = self.cell.advance(x, state, **inputs)
        return x + output, new
