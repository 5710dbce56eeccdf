"""Recurrent layers over a grid of sizes, against every peer that is installed.

    python tests/benchmarks/recurrent.py --threads 1
    python tests/benchmarks/recurrent.py --rows 100,32,64,128 --cells LSTM --infer

One training step: forward, the sum of the outputs as the loss, backward to the input and all
parameters; with `--infer`, the outputs alone, nothing recorded. float32. First all contestants
are checked to agree in every gradient.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from recurrent_peers import CONTESTANTS, GATES, Contestant, Problem, check_agreement
from timing import installed, interleaved, number, options_parser, print_table, start

GRID = [
    (50, 1, 16, 32),
    (50, 16, 32, 64),
    (100, 32, 64, 128),
    (100, 64, 256, 512),
    (1000, 8, 32, 64),
    (10000, 1, 8, 32),
]
SLOW = ("HIPS autograd", "MyGrad")


def sizes(text: str) -> tuple[int, ...]:
    """Four integers from `T,B,I,H`."""
    row = tuple(map(int, text.split(",")))
    if len(row) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is not T,B,I,H")
    return row


def contestants(problem: Problem, wanted: list[str]) -> dict[str, Contestant]:
    """Those that are wanted, installed, and have such a cell."""
    made = {
        name: make(problem)
        for name, (package, make) in CONTESTANTS.items()
        if name in wanted and installed(package)
    }
    return {name: contestant for name, contestant in made.items() if contestant is not None}


def check(found: dict[str, Contestant], tolerance: float) -> None:
    """All gradients agree; AssertionError with the name of the one that differs."""
    check_agreement({n: c.train() for n, c in found.items() if n != "GEMMs alone"}, tolerance)


def measured(found: dict[str, Contestant], infer: bool, repeat: int) -> dict[str, float]:
    """Milliseconds of each."""
    runs = {n: c.infer if infer else c.train for n, c in found.items()}
    times = interleaved({n: run for n, run in runs.items() if run is not None}, repeat)
    return {name: 1000 * seconds for name, seconds in times.items()}


def main() -> None:
    parser = options_parser(__doc__, repeat=9)
    parser.add_argument("--rows", type=sizes, nargs="+", default=GRID, metavar="T,B,I,H")
    parser.add_argument("--cells", nargs="+", choices=list(GATES), default=list(GATES))
    parser.add_argument(
        "--columns",
        nargs="+",
        choices=list(CONTESTANTS),
        default=[name for name in CONTESTANTS if name not in SLOW],
        metavar="COLUMN",
        help=f"which of: {', '.join(CONTESTANTS)}",
    )
    parser.add_argument("--slow", action="store_true", help=f"also {' and '.join(SLOW)}")
    parser.add_argument("--infer", action="store_true", help="the forward pass alone")
    parser.add_argument("--check", action="store_true", help="compare in float64, measure nothing")
    options = start(parser, "numpy", "torch", "jax", "autograd", "mygrad")
    columns = options.columns + [name for name in SLOW if options.slow]
    if options.check:
        check_grid(options.rows, options.cells, columns)
        return
    print(f"Milliseconds for one {'inference' if options.infer else 'training step'}.\n")
    shown = [name for name in CONTESTANTS if name in columns and installed(CONTESTANTS[name][0])]
    grid = itertools.product(options.rows, options.cells)
    rows = (table_row(row, cell, shown, options) for row, cell in grid)
    print_table(["T,B,I,H", "cell", *shown], rows, left=2)


def table_row(
    row: tuple[int, ...], cell: str, columns: list[str], options: argparse.Namespace
) -> list[str]:
    """Checked, measured, and in words."""
    found = contestants(Problem(cell, *row), columns)
    check(found, tolerance=2e-3)
    times = measured(found, options.infer, options.repeat)
    return [",".join(map(str, row)), cell, *(number(times.get(name)) for name in columns)]


def check_grid(rows: list[tuple[int, ...]], cells: list[str], columns: list[str]) -> None:
    """In float64, where nothing but an error in the mathematics can differ by 1e-9."""
    without = ("JAX jit scan", "GEMMs alone")  # computes in float32; has no gradients
    columns = [name for name in columns if name not in without]
    for row in rows:
        for cell in cells:
            found = contestants(Problem(cell, *row, np.float64), columns)
            check(found, tolerance=1e-9)
            print(f"{','.join(map(str, row))} {cell}: {', '.join(found)} agree")


if __name__ == "__main__":
    main()
