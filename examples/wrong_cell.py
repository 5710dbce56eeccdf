"""A cell with a mistake in it, and the report that finds it.

Here is a cell with a forget gate, whose sigmoid is an op of its author's own, without exponentials:

    s(x) = (1 + x / sqrt(1 + x^2)) / 2         s'(x) = (1 + x^2)^(-3/2) / 2

The gradient rule has a slip: the exponent is -1/2. The cell runs, its loss falls, and it learns
less than it could. `check_cell` says which gate it is, at which time step, and in which line.

    python examples/wrong_cell.py

It ends with the table of all laws that a cell keeps; the same table comes from the command
`tinygrad-rnn check examples/wrong_cell.py:WrongCell`.
"""

from __future__ import annotations

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.testing import CellError, check_cell


@tg.op(elementwise=True)
def gate(x):
    return 0.5 + 0.5 * x / np.sqrt(1.0 + x * x)


@gate.vjp
def _(grad, out, x):
    return grad * 0.5 * (1.0 + x * x) ** -0.5  # the slip: -1.5 is right


class WrongCell(nn.Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.to_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.to_candidate = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        forget = gate(self.to_gate(tg.concatenate([x, h], axis=-1))).named("forget gate")
        return (forget * h + (1 - forget) * tg.tanh(self.to_candidate(x))).named("h")


class RightCell(WrongCell):
    def forward(self, x, h):
        forget = tg.sigmoid(self.to_gate(tg.concatenate([x, h], axis=-1))).named("forget gate")
        return (forget * h + (1 - forget) * tg.tanh(self.to_candidate(x))).named("h")


def main() -> None:
    try:
        check_cell(WrongCell)
    except CellError as error:
        print(error.report)
    print(f"\nWith tg.sigmoid as the gate, {str(check_cell(RightCell)).splitlines()[0]}")


if __name__ == "__main__":
    main()
