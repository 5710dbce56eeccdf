"""A time gate (Neil et al. 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops, pytree
from ...nn import Cell, Parameter
from .wrapper import Wrapper, floating, shown

__all__ = ["Phased"]


class Phased(Wrapper):
    """Each unit is updated only in its own part of a period; otherwise it changes by a small leak.

    phi_t = ((time_t - s) mod tau) / tau                                                   (eq. 6)
    k_t = 2 phi / r            for phi < r / 2                                             (eq. 7)
          2 - 2 phi / r        for r / 2 <= phi < r
          leak * phi           else (0 in evaluation)
    s_t = k_t * new_t + (1 - k_t) * s_{t-1}, for every leaf of the state             (eq. 8 and 9)

    `time` (B, 1) is a further input of each step: its point in time. tau starts log-uniform in
    `periods`, s uniform in a period, r is `open_ratio`. All leaves of the state must have the size
    of the first. Neil, Pfeiffer & Liu 2016, "Phased LSTM: Accelerating Recurrent Network Training
    for Long or Event-based Sequences", NeurIPS.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.cells.wrappers.Phased(tg.nn.LSTMCell(3, 4)))
    >>> times = tg.arange(5.0).reshape(5, 1, 1) * tg.ones(5, 2, 1)
    >>> layer(tg.zeros(5, 2, 3), time=times)[0].shape
    (5, 2, 4)
    """

    def __init__(
        self,
        cell: Cell,
        periods: tuple[float, float] = (1.0, 100.0),
        open_ratio: float = 0.05,
        leak: float = 0.001,
    ) -> None:
        super().__init__(cell)
        self.open_ratio, self.leak = open_ratio, leak
        size = pytree.leaves(cell.initial_state(1))[0].shape[-1]
        low, high = np.log(periods)
        self.log_tau = Parameter(low + (high - low) * ops.rand(size).data)
        self.shift = Parameter(ops.rand(size).data * np.exp(self.log_tau.data))

    def step(  # type: ignore[override]
        self, x: Any, state: Any, time: Any, **inputs: Any
    ) -> tuple[Any, Any]:
        """The step of the wrapped cell, weighted by how far the gate is open at that time."""
        turns = (time - self.shift) / ops.exp(self.log_tau)
        phi, r = turns - ops.floor(turns), self.open_ratio
        closed = self.leak * phi if self.training else 0.0 * phi
        closing = ops.where(phi < r, 2.0 - 2.0 * phi / r, closed)
        k = ops.where(phi < 0.5 * r, 2.0 * phi / r, closing).named("time gate")
        output, new = self.cell.advance(x, state, **inputs)
        gated = floating(lambda after, before: k * after + (1 - k) * before, new, state)
        return shown(output, new, gated), gated
