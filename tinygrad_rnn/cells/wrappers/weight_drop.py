"""Dropout of recurrent weights (Merity et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from ...nn import Cell, Module
from .wrapper import Wrapper, dropout_mask

__all__ = ["WeightDrop"]


class WeightDrop(Wrapper):
    """DropConnect: elements of the recurrent weights are zero for a whole sequence, while training.

    h_{t-1} is multiplied by W * M, M ~ Bernoulli(1 - rate) / (1 - rate), one mask for all steps and
    rows, drawn anew by `initial_state`, which a layer asks for at each call. In evaluation M is 1.
    `names`: which weights, as `cell.named_parameters()` has them; by default each that is called
    `weight_hh`, of this cell or of those inside it. The cell's parameters keep their names.

    Merity, Keskar & Socher 2018, "Regularizing and Optimizing LSTM Language Models", ICLR, section
    2 (AWD-LSTM), after Wan et al. 2013. ValueError for a rate that is no probability below 1, and
    where there is no weight of the name.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.WeightDrop(tg.nn.LSTMCell(3, 4), 0.5)
    >>> outputs, _ = tg.nn.Recurrent(cell)(tg.ones(5, 2, 3))
    >>> bool(tg.any(cell.cell.weight_hh == 0)), bool(tg.any(cell.eval().cell.weight_hh == 0))
    (True, False)
    """

    def __init__(self, cell: Cell, rate: float, names: Sequence[str] | None = None) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate is a probability below 1, got {rate}")
        super().__init__(cell)
        self.rate, self.names = rate, names
        self._dropped: list[tuple[Module, str]] = []
        held = [name for name, _ in cell.named_parameters()]
        found = [name for name in held if name.rpartition(".")[2] == "weight_hh"]
        for path in found if names is None else names:
            if path not in held:
                raise ValueError(f"{type(cell).__name__} has no parameter {path!r}: {held}")
            place, _, name = path.rpartition(".")
            self._dropped.append((dict(cell.named_modules())[place], name))
        if not self._dropped:
            raise ValueError(
                f"{type(cell).__name__} has no weight_hh: say which weights multiply its state, "
                f"names=[...], of {held}"
            )
        for module, name in self._dropped:
            kind: Any = type(module)
            module.__class__ = _with_masks(kind, name)

    def initial_state(self, batch_size: int) -> Any:
        """That of the cell inside; the masks are drawn."""
        for module, name in self._dropped:
            weight = vars(module)[name]
            mask = dropout_mask(weight, self.rate) if self.training else None
            setattr(module, f"_mask_of_{name}", mask)
        return super().initial_state(batch_size)


@cache
def _with_masks(kind: Any, name: str) -> Any:
    """A class like `kind` whose `name` is the parameter of this name times the mask, if any."""
    place = f"_mask_of_{name}"
    if hasattr(kind, place):
        return kind

    def masked(self: Any) -> Any:
        weight, mask = vars(self)[name], getattr(self, place)
        return weight if mask is None or not self.training else weight * mask

    def put(self: Any, value: Any) -> None:
        vars(self)[name] = value

    return type(kind.__name__, (kind,), {
        "__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__,
        name: property(masked, put), place: None,
    })  # fmt: skip
