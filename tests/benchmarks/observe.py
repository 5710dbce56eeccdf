"""What it costs to observe all gates of an LSTM while it trains.

    .venv/bin/python tests/benchmarks/observe.py

A training step, and the same with the values and the gradients of every gate and state at every
step kept, on both executors. The two take turns, each with a layer of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timing import interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn import nn

SIZES = [(50, 16, 32, 64), (100, 32, 32, 32), (100, 32, 64, 128), (50, 64, 256, 256)]  # T, B, I, H
EXECUTORS = ("numpy", "llvm")


def training_step(
    steps: int, batch: int, features: int, hidden: int, executor: str
) -> Callable[[], Any]:
    """A function that takes one step, with memory as in a loop: the last result is kept."""
    layer, x = nn.LSTM(features, hidden, executor=executor), tg.randn(steps, batch, features)

    def run() -> None:
        layer.zero_grad()
        outputs, _ = layer(x)
        tg.square(outputs).sum().backward()

    return run


def observed(run: Callable[[], Any]) -> Callable[[], Any]:
    """The same, observed."""

    def run_observed() -> None:
        with tg.observe():
            run()

    return run_observed


def main() -> None:
    options = start(options_parser(__doc__ or "", repeat=15), "numpy", "llvmlite")
    rows = []
    for sizes in SIZES:
        for executor in EXECUTORS:
            plain = training_step(*sizes, executor)
            seen = observed(training_step(*sizes, executor))
            times = interleaved({"plain": plain, "observed": seen}, options.repeat)
            ratio = f"{times['observed'] / times['plain']:.2f}"
            name = "T = {}, B = {}, I = {}, H = {}, ".format(*sizes) + executor
            rows.append([name, *(number(1000 * s) for s in times.values()), ratio])
    print_table(["milliseconds", "a step", "observed", "ratio"], rows)


if __name__ == "__main__":
    main()
