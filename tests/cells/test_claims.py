"""Claims: each holds of a cell that keeps it, and catches one that does not."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.claims import (
    Affine,
    Bounded,
    Carousel,
    Diagonal,
    Fading,
    Undamped,
    VolumePreserving,
)
from tinygrad_rnn.testing import CellError, check_cell


class Leaky(nn.Cell):
    """h_t = a h_{t-1} + b x_t: affine, diagonal, fading."""

    def __init__(self, input_size: int, decay: float = 0.5) -> None:
        self.input_size = self.hidden_size = input_size
        self.weight = nn.Parameter(np.ones(input_size))
        self.decay = decay

    def forward(self, x, h):
        return self.decay * h + self.weight * x


class Turn(nn.Cell):
    """A leapfrog step of two oscillators: it preserves volume."""

    def __init__(self, input_size: int, friction: float = 0.0) -> None:
        self.input_size = self.hidden_size = input_size
        self.weight = nn.Parameter(np.ones(input_size))
        self.friction = friction

    def initial_state(self, batch_size):
        return self.zeros(batch_size, 2), self.zeros(batch_size, 2)

    def forward(self, x, state):
        y, z = state
        z = z - 0.1 * tg.sin(self.weight * y + x) - self.friction * z
        return y + 0.1 * z, z


class Spin(nn.Cell):
    """h + A h with A antisymmetric, or nearly."""

    def __init__(self, input_size: int, shift: float = 0.0) -> None:
        self.input_size, self.hidden_size = input_size, 3
        self.weight = nn.Parameter(np.ones((3, 3)))
        self.shift = shift

    def forward(self, x, h):
        return h + tg.tanh(h @ (self.weight - self.weight.T)) + self.shift * h


CASES = [
    (Affine(), lambda: Leaky(2), lambda: nn.RNNCell(2, 2)),
    (Affine(leaf=1), lambda: nn.LSTMCell(2, 2), lambda: tg.cells.PeepholeLSTMCell(2, 2)),
    (Diagonal(), lambda: Leaky(2), lambda: nn.RNNCell(2, 2)),
    (Diagonal(leaf=1), lambda: nn.LSTMCell(2, 2), lambda: tg.cells.WMCLSTMCell(2, 2)),
    (Bounded(-1, 1), lambda: nn.GRUCell(2, 2), lambda: Leaky(2)),
    (Bounded(-1, 1, leaf=0), lambda: nn.LSTMCell(2, 2), lambda: tg.cells.ResLSTMCell(2, 2)),
    (Fading(), lambda: Leaky(2), lambda: Leaky(2, decay=1.01)),
    (VolumePreserving(), lambda: Turn(2), lambda: Turn(2, friction=1e-4)),
    (Undamped(), lambda: Spin(2), lambda: Spin(2, shift=1e-4)),
    (Carousel(leaf=1), lambda: tg.cells.OriginalLSTMCell(2, 2), lambda: nn.LSTMCell(2, 2)),
]


@pytest.mark.parametrize(("claim", "keeps", "breaks"), CASES, ids=lambda value: repr(value)[:24])
def test_a_claim_catches_the_cell_that_breaks_it(claim, keeps, breaks) -> None:
    def made(make):
        cell = make()
        cell.claims = (claim,)
        return cell

    report = check_cell(lambda: made(keeps), only=[claim.name])
    assert [law.verdict for law in report.laws] == ["holds"]
    with pytest.raises(CellError) as error:
        check_cell(lambda: made(breaks), only=[claim.name])
    (law,) = error.value.report.broken
    assert law.says == claim.says
    assert "with 20 steps, 4 rows" in law.note


def test_only_and_except_for_know_the_names_of_claims() -> None:
    def made():
        cell = nn.RNNCell(1, 1)
        cell.claims = (Affine(),)
        return cell

    assert check_cell(made, only=["affine", "state"], except_for=["affine"]).ok
    with pytest.raises(ValueError, match=r"no law afine; they are state, .*, affine"):
        check_cell(made, only=["afine"])
