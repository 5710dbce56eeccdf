"""StackedRecurrent: a layer of one kind of cell, with its states stacked as in PyTorch."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

from .cell import Cell
from .layers import Recurrent
from .packing import stacked, unstacked

__all__ = ["StackedRecurrent"]


class StackedRecurrent(Recurrent):
    """What RNN, LSTM and GRU have in common: PyTorch's states and sizes.

    A state has the cell's structure; each leaf (num_layers * directions, B, ...). TypeError for an
    option that `Recurrent` does not have.
    """

    def __init__(self, cell: Cell, num_layers: int, options: dict[str, Any]) -> None:
        _check_options(type(self).__name__, options)
        super().__init__(cell, num_layers, **options)
        self.input_size, self.hidden_size = cell.input_size, cell.hidden_size

    def _packed(self, states: list[Any]) -> Any:
        return stacked(states)

    def _unpacked(self, state: Any, own: list[Any]) -> list[Any]:
        return unstacked(type(self).__name__, state, own)


def _check_options(layer: str, options: dict[str, Any]) -> None:
    """TypeError for an option that `Recurrent` does not have."""
    parameters = inspect.signature(Recurrent.__init__).parameters.values()
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    known = ["input_size", "hidden_size", "num_layers", *keywords]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise TypeError(
                f"{layer} has no option {name!r}; {hint}its options: {', '.join(known)}"
            )
