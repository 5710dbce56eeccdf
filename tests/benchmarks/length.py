"""Whether time is linear in the number of steps: from 100 to 1,000,000 of them (B = 1, H = 32).

    python tests/benchmarks/length.py
    python tests/benchmarks/length.py --cells LSTM --plot docs/images/length.svg

Microseconds a step for one training step: forward, the sum of the outputs as the loss, backward to
the input and all parameters; float32. A line that is flat is linear. `--plot` also draws it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recurrent_peers import CONTESTANTS, Problem
from timing import installed, interleaved, number, options_parser, print_table, start

COLUMNS = ["ours, NumPy", "ours, LLVM", "JAX jit scan", "PyTorch nn.*"]
LENGTHS = [100, 1_000, 10_000, 100_000, 1_000_000]


def microseconds(
    cell: str, steps: int, columns: list[str], options: argparse.Namespace
) -> dict[str, float]:
    """Of each contestant, for each of the steps."""
    problem = Problem(cell, steps, 1, options.inputs, options.hidden)
    made = {name: CONTESTANTS[name][1](problem) for name in columns}
    runs = {name: c.train for name, c in made.items() if c is not None}
    repeat = options.repeat if steps <= 100_000 else 1
    return {name: 1e6 * s / steps for name, s in interleaved(runs, repeat).items()}


def plot(found: dict[str, dict[int, dict[str, float]]], path: Path) -> None:
    """The table as curves, a panel for each cell."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "length"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(found), figsize=(4.6 * len(found), 3.6), sharey=True, squeeze=False, dpi=120
    )
    for axis, (cell, by_length) in zip(axes[0], found.items(), strict=True):
        for name in COLUMNS:
            points = [(n, times[name]) for n, times in by_length.items() if name in times]
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
        axis.set(title=cell, xscale="log", yscale="log", xlabel="steps T")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("microseconds a step")
    axes[0][-1].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = options_parser(__doc__, repeat=5)
    parser.add_argument("--steps", type=int, nargs="+", default=LENGTHS)
    parser.add_argument(
        "--cells", nargs="+", choices=["RNN", "LSTM", "GRU"], default=["RNN", "LSTM"]
    )
    parser.add_argument("--inputs", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument(
        "--peers-to",
        type=int,
        default=100_000,
        metavar="T",
        help="leave PyTorch and JAX out of longer sequences",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it, as .svg or .png")
    options = start(parser, "numpy", "llvmlite", "torch", "jax")
    print("Microseconds a step of one training step.\n")
    present = [name for name in COLUMNS if installed(CONTESTANTS[name][0])]
    found: dict[str, dict[int, dict[str, float]]] = {cell: {} for cell in options.cells}
    rows = []
    for cell in options.cells:
        for steps in options.steps:
            bounded = steps > options.peers_to
            columns = [name for name in present if name.startswith("ours") or not bounded]
            times = found[cell][steps] = microseconds(cell, steps, columns, options)
            rows.append([cell, f"{steps:,}", *(number(times.get(name)) for name in present)])
            print(" ".join(rows[-1]), file=sys.stderr)
    print_table(["cell", "T", *present], rows)
    if options.plot:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
