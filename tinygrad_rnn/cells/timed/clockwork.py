"""Clockwork RNN (Koutnik et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import ops
from ...engine.tensor import Tensor, from_numpy
from ...nn.claims import Bounded
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, zeros

__all__ = ["ClockworkRNNCell"]


class ClockworkRNNCell(Cell):
    """Groups of units with different clocks: a group with period q is updated every q-th step.

    h_t = tanh(W_H h_{t-1} + W_I x_t + b)             where t mod q = 0 (1)
    h_t = h_{t-1}                                     elsewhere

    W_H is block-triangular: a group receives from itself and from slower groups. Steps count from
    0, at which all groups are updated (the paper does not say where its clock starts).

    Koutnik, Greff, Gomez & Schmidhuber 2014, "A Clockwork RNN", ICML, arXiv:1402.3511. `periods`:
    the period of each group, from fast to slow; the units are divided among the groups as evenly as
    possible. weight_ih (H, I), weight_hh (H, H), whose blocks towards faster groups are not used,
    normal with standard deviation 0.1; bias zero. The state is (h, t), where t (B, 1) holds whole
    numbers.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.ClockworkRNNCell(3, 6, periods=[1, 2, 4])
    >>> outputs, [(h, t)] = tg.nn.Recurrent(cell)(tg.zeros(5, 2, 3))
    >>> outputs.shape, int(t[0, 0].item())
    ((5, 2, 6), 5)
    """

    claims = (Bounded(-1, 1, leaf=0),)

    period: Tensor
    sees: Tensor

    def __init__(
        self, input_size: int, hidden_size: int, periods: Sequence[int] = (1, 2, 4, 8)
    ) -> None:
        if not periods or min(periods) < 1 or list(periods) != sorted(periods):
            raise ValueError(f"periods must be at least 1 and in ascending order, got {periods}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.periods = tuple(periods)
        self.weight_ih = normal(hidden_size, input_size, std=0.1)
        self.weight_hh = normal(hidden_size, hidden_size, std=0.1)
        self.bias_ih = zeros(hidden_size)
        groups = np.array_split(np.arange(hidden_size), len(self.periods))
        period = np.repeat(self.periods, [len(group) for group in groups])
        self.register_buffer("period", period)
        self.register_buffer("sees", period[:, None] <= period[None, :])

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(h_0, t_0): zeros (B, H) and the number of steps done (B, 1)."""
        return self.zeros(batch_size, self.hidden_size), from_numpy(
            np.zeros((batch_size, 1), np.int64)
        )

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I), (h_{t-1}, t) -> (h_t, t + 1)."""
        h, t = state
        slower = ops.where(self.sees, self.weight_hh, 0.0)
        new = ops.tanh(linear(x, self.weight_ih, self.bias_ih) + linear(h, slower))
        moves = ops.equal(ops.remainder(t, self.period), 0)
        return ops.where(moves, new, h).named("h"), t + 1
