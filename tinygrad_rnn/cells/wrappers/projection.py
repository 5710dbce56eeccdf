"""A projected output (Sak et al. 2014)."""

from __future__ import annotations

from typing import Any

from ...nn import Cell, Linear
from .wrapper import Wrapper

__all__ = ["Projection"]


class Projection(Wrapper):
    """output_t = W times the output of the wrapped cell, with `output_size` features.

    The non-recurrent projection of Sak, Senior & Beaufays 2014, "Long Short-Term Memory Recurrent
    Neural Network Architectures for Large Scale Acoustic Modeling" (p_t there): the state of the
    cell is unchanged. `bias`: whether to add a bias, which the paper does not have.

    >>> import tinygrad_rnn as tg
    >>> tg.cells.wrappers.Projection(tg.nn.LSTMCell(3, 8), 2)(tg.zeros(5, 3))[0].shape
    (5, 2)
    """

    def __init__(self, cell: Cell, output_size: int, bias: bool = False) -> None:
        super().__init__(cell)
        self.projection = Linear(cell.output_size, output_size, bias=bias)
        self.output_size = output_size

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell, its output projected."""
        output, new = self.cell.advance(x, state, **inputs)
        return self.projection(output), new
