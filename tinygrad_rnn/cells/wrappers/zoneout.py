"""Zoneout (Krueger et al. 2017)."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...nn import Cell
from .wrapper import Wrapper, floating, shown

__all__ = ["Zoneout"]


class Zoneout(Wrapper):
    """Each unit of the state keeps its value with probability `rate`, while training.

    s_t = d_t * s_{t-1} + (1 - d_t) * new_t,  d_t ~ Bernoulli(rate), anew at each step   (eq. 4)

    In evaluation d_t is its mean, `rate`. It applies to every floating leaf of the state. Krueger
    et al. 2017, "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations", ICLR.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.Zoneout(tg.nn.GRUCell(3, 4), 0.5).eval()
    >>> x, h = tg.ones(2, 3), tg.ones(2, 4)
    >>> bool(tg.all(cell(x, h)[1] == 0.5 * h + 0.5 * cell.cell(x, h)))
    True
    """

    def __init__(self, cell: Cell, rate: float) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be a probability from 0 to 1, got {rate}")
        super().__init__(cell)
        self.rate = rate

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell, with some units unchanged."""
        output, new = self.cell.advance(x, state, **inputs)

        def mixed(after: Any, before: Any) -> Any:
            if not self.training:
                return self.rate * before + (1 - self.rate) * after
            return ops.where(ops.rand_like(after) < self.rate, before, after)

        zoned = floating(mixed, new, state)
        return shown(output, new, zoned), zoned
