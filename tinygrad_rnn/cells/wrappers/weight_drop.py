"""Dropout of recurrent weights (Merity et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...nn import Cell, Module
from .weights import found_weights, read_through
from .wrapper import Wrapper, dropout_mask

__all__ = ["WeightDrop"]


class WeightDrop(Wrapper):
    """DropConnect: in training, random recurrent weights are zero for a whole sequence.

    h_{t-1} is multiplied by W * M, M ~ Bernoulli(1 - rate) / (1 - rate), one mask for all steps and
    rows. `initial_state`, which a layer calls for each sequence, draws a new mask. In evaluation M
    is 1. `names`: the weights to mask, named as in `cell.named_parameters()`; by default every
    `weight_hh` of this cell and of the cells inside it. The cell's parameters keep their names.

    Merity, Keskar & Socher 2018, "Regularizing and Optimizing LSTM Language Models", ICLR, section
    2 (AWD-LSTM), after Wan et al. 2013. ValueError for a rate outside [0, 1), or if there is no
    weight of that name.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.WeightDrop(tg.nn.LSTMCell(3, 4), 0.5)
    >>> outputs, _ = tg.nn.Recurrent(cell)(tg.ones(5, 2, 3))
    >>> bool(tg.any(cell.cell.weight_hh == 0)), bool(tg.any(cell.eval().cell.weight_hh == 0))
    (True, False)
    """

    def __init__(self, cell: Cell, rate: float, names: Sequence[str] | None = None) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be at least 0 and below 1, got {rate}")
        super().__init__(cell)
        self.rate, self.names = rate, names
        self._masks = [
            (module, name, read_through(module, name, _masked))
            for module, name in found_weights(cell, names, ["weight_hh"]).values()
        ]

    def initial_state(self, batch_size: int) -> Any:
        """That of the wrapped cell; draws the masks."""
        for module, name, place in self._masks:
            mask = dropout_mask(vars(module)[name], self.rate) if self.training else None
            setattr(module, place, mask)
        return super().initial_state(batch_size)


def _masked(module: Module, weight: Any, mask: Any) -> Any:
    return weight * mask if module.training else weight
