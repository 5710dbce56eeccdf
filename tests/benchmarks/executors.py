"""The compiled executor beside the NumPy one: every op in a step, every layout of product.

    python tests/benchmarks/executors.py
    python tests/benchmarks/executors.py --row 100,32,64 --only sin einsum --cpu-time

Milliseconds for one training step (forward, sum of the outputs, backward to x and the parameters)
of h_t = tanh(f(h_{t-1}) + x_t) in float32, for many f. The compiled loop should be ahead in every
row; a row in which it is not is a cliff, and the command ends with 1.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from executor_steps import HEADS, PRODUCTS, STEPS
from timing import interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn import nn

SLACK = 1.1  # a row that is slower by less is noise


class Step(nn.Cell):
    """h_t = tanh(f(h_{t-1}) + x_t)."""

    def __init__(self, size: int, name: str) -> None:
        self.input_size = self.hidden_size = size
        self.function, self.is_product = STEPS[name], name in PRODUCTS
        rng, small = np.random.default_rng(0), size // HEADS
        for attribute, shape in {
            "w": (size, size),
            "per_head": (HEADS, small, small),
            "small": (small, small),
        }.items():
            weight = rng.standard_normal(shape) / np.sqrt(shape[-1])
            setattr(self, attribute, nn.Parameter(weight.astype(np.float32)))

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        weights = (self.w, self.per_head, self.small) if self.is_product else ()
        return tg.tanh(self.function(h, *weights) + x)


def training_step(name: str, steps: int, batch: int, size: int, executor: str) -> Callable[[], Any]:
    """One training step on one of the executors, compiled."""
    layer = nn.Recurrent(Step(size, name), executor=executor)
    draw = np.random.default_rng(1)
    x = tg.tensor(draw.standard_normal((steps, batch, size)).astype("f"), requires_grad=True)

    def step() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x)[0].sum().backward()

    step()
    return step


def main() -> None:
    parser = options_parser(__doc__, repeat=5)
    parser.add_argument("--row", default="50,16,64", metavar="T,B,H")
    parser.add_argument(
        "--only", nargs="+", default=[], help="rows whose names contain one of these"
    )
    options = start(parser, "numpy")
    steps, batch, size = map(int, options.row.split(","))
    names = [n for n in STEPS if not options.only or any(part in n for part in options.only)]
    print(f"Milliseconds for one training step, T = {steps}, B = {batch}, H = {size}.\n")
    cliffs: list[str] = []

    def rows() -> Any:
        for name in names:
            contestants = {
                executor: training_step(name, steps, batch, size, executor)
                for executor in ("numpy", "llvm")
            }
            times = interleaved(contestants, options.repeat)
            ratio = times["numpy"] / times["llvm"]
            if ratio < 1 / SLACK:  # perhaps noise: once more, in longer samples
                times = interleaved(contestants, 2 * options.repeat + 1, 0.1)
                ratio = times["numpy"] / times["llvm"]
            if ratio < 1 / SLACK:
                cliffs.append(name)
            yield [name, *(number(1000 * times[e]) for e in contestants), number(ratio)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something has no compiled form
        print_table(["in the step", "NumPy", "LLVM", "NumPy / LLVM"], rows())
    print(f"\nSlower compiled: {', '.join(cliffs) or 'none'}")
    sys.exit(bool(cliffs))


if __name__ == "__main__":
    main()
