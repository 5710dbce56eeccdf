"""Elementwise linear recurrences: the scan in blocks of time against the loop over steps.

    python tests/benchmarks/linear_recurrence.py
    python tests/benchmarks/linear_recurrence.py --steps 100 10000 --elements 32 1024

One training step of a minGRU (Feng et al. 2024) whose state has that many elements (B = 1):
forward, sum of the outputs, backward to the input and all parameters. float32. The rule that the
scheduler goes by (`MOST_ELEMENTS` in `passes/loop_distribution.py`) is read off the last
column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from timing import interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn.compiler.passes import loop_distribution


class MinGRUCell(tg.nn.Cell):
    """h_t = (1 - z_t) * h_{t-1} + z_t * n_t, with z_t and n_t of x_t alone."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.gate = tg.nn.Linear(input_size, hidden_size)
        self.candidate = tg.nn.Linear(input_size, hidden_size)

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        z = tg.sigmoid(self.gate(x)).named("update gate")
        return (1 - z) * h + z * self.candidate(x)


def training_step(steps: int, elements: int, blocks: bool) -> Callable[[], Any]:
    """One training step, compiled for blocks or for the loop."""
    layer = tg.nn.Recurrent(MinGRUCell(4, elements))
    x = tg.tensor(np.ones((steps, 1, 4), np.float32), requires_grad=True)

    def step() -> None:
        layer.zero_grad()
        layer(x)[0].sum().backward()

    rule = loop_distribution.MOST_ELEMENTS
    loop_distribution.MOST_ELEMENTS = 1 << 60 if blocks else 0
    try:
        step()
    finally:
        loop_distribution.MOST_ELEMENTS = rule
    return step


def main() -> None:
    parser = options_parser(__doc__, repeat=7)
    parser.add_argument("--steps", type=int, nargs="+", default=[30, 100, 1000, 10000])
    parser.add_argument("--elements", type=int, nargs="+", default=[8, 32, 64, 128, 256, 512, 1024])
    options = start(parser, "numpy")
    print("Milliseconds for one training step of a minGRU.\n")
    rows = []
    for elements in options.elements:
        for steps in options.steps:
            if steps * elements > 1 << 25:
                continue
            contestants = {
                "loop": training_step(steps, elements, blocks=False),
                "blocks": training_step(steps, elements, blocks=True),
            }
            times = interleaved(contestants, options.repeat)
            loop, blocks = 1000 * times["loop"], 1000 * times["blocks"]
            rows.append(
                [f"{elements:,}", f"{steps:,}", *map(number, (loop, blocks, loop / blocks))]
            )
    print_table(["H", "T", "loop", "blocks", "loop / blocks"], rows, left=0)


if __name__ == "__main__":
    main()
