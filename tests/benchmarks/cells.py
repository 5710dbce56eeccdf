"""Every cell of the zoo, or one of yours: the executors beside JAX.

    python tests/benchmarks/cells.py --cpu-time
    python tests/benchmarks/cells.py --row 100,32,64,128 --only lstm mingru
    python tests/benchmarks/cells.py --only my_package.cells:MyCell

Milliseconds for one training step of `nn.Recurrent(cell)`: forward, then backward from a gradient
of the outputs to the input and the parameters, float32. JAX runs the same step, as
`tg.export.to_jax` gives it: a `lax.scan`, differentiated and compiled by `jax.jit`. Its gradients
must agree with ours.

The gradient of the outputs is random numbers. That of a sum would be the same at every step: a
compiler that sees it moves the products of it out of the loop, which no loss that learns allows.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from recurrent_peers import check_agreement
from timing import installed, interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.export import ExportError, to_jax

SLACK = 1.1  # a row that is slower by less is noise

Train = Callable[[], Sequence[Any]]


IMAGE = (4, 4)  # for a cell on images: as many numbers as features are asked for
SPECIAL: dict[str, Callable[[int, int], nn.Cell]] = {  # what takes more than two sizes
    "convlstm": lambda inputs, hidden: tg.cells.ConvLSTMCell(inputs // 16, hidden // 16, IMAGE),
    "projectedlstm": lambda inputs, hidden: tg.cells.ProjectedLSTMCell(inputs, hidden, hidden // 2),
}


def new_cell(name: str, inputs: int, hidden: int) -> nn.Cell:
    """A cell by its short name, or as module:class."""
    tg.manual_seed(0)  # the same weights whenever it is made
    if name in SPECIAL:
        return SPECIAL[name](inputs, hidden)
    if ":" not in name:
        return tg.cells.discover()[name](inputs, hidden)
    module, _, attribute = name.partition(":")
    found: nn.Cell = getattr(importlib.import_module(module), attribute)(inputs, hidden)
    return found


def sequence(cell: nn.Cell, steps: int, batch: int, inputs: int) -> Any:
    """x (T, B, I), or (T, B, channels, height, width) for a cell on images."""
    images = getattr(cell, "feature_axis", -1) != -1
    shape = (inputs // 16, *IMAGE) if images else (inputs,)
    draw = np.random.default_rng(0)
    return draw.standard_normal((steps, batch, *shape)).astype(np.float32)


def gradient_like(outputs: Any) -> Any:
    return np.random.default_rng(1).standard_normal(outputs.shape).astype(np.float32)


def ours(cell: nn.Cell, x: Any, executor: str) -> Train:
    layer = nn.Recurrent(cell, executor=executor)
    leaves = [tg.tensor(x, requires_grad=True), *layer.parameters()]
    d_outputs = gradient_like(layer(leaves[0])[0])

    def train() -> list[Any]:
        layer(leaves[0])[0].backward(d_outputs)
        gradients = [np.zeros(leaf.shape) if leaf.grad is None else leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return gradients

    return train


def jax_scan(cell: nn.Cell, x: Any) -> Train | None:
    """None for a cell that cannot be exported."""
    import jax
    import jax.numpy as jnp

    layer = nn.Recurrent(cell)
    try:
        apply, arrays = to_jax(layer, training=True)
    except ExportError as reason:
        print(f"{type(cell).__name__} is not exported to JAX: {reason}", file=sys.stderr)
        return None
    learned = {key: jnp.asarray(arrays[key]) for key, _ in layer.named_parameters()}
    rest = {key: jnp.asarray(value) for key, value in arrays.items() if key not in learned}

    def outputs(x: Any, learned: Any) -> Any:
        return apply({**rest, **learned}, x)[0]

    order, there = list(learned), jnp.asarray(x)
    d_outputs = jnp.asarray(gradient_like(jax.eval_shape(outputs, there, learned)))
    gradient = jax.jit(lambda x, learned, d: jax.vjp(outputs, x, learned)[1](d))

    def train() -> list[Any]:
        d_x, d_learned = jax.block_until_ready(gradient(there, learned, d_outputs))
        return [d_x, *(d_learned[key] for key in order)]

    return train


def contestants(name: str, sizes: Sequence[int], peers: bool) -> dict[str, Train]:
    steps, batch, inputs, hidden = sizes
    x = sequence(new_cell(name, inputs, hidden), steps, batch, inputs)
    made: dict[str, Train | None] = {
        "NumPy": ours(new_cell(name, inputs, hidden), x, "numpy"),
        "LLVM": ours(new_cell(name, inputs, hidden), x, "llvm"),
    }
    if peers:
        made["JAX"] = jax_scan(new_cell(name, inputs, hidden), x)
    return {column: train for column, train in made.items() if train is not None}


def main() -> None:
    parser = options_parser(__doc__, repeat=5)
    parser.add_argument("--row", default="50,1,16,32", metavar="T,B,I,H")
    parser.add_argument("--only", nargs="+", default=list(tg.cells.discover()), metavar="CELL")
    parser.add_argument("--no-check", action="store_true", help="do not compare the gradients")
    options = start(parser, "numpy", "jax", "llvmlite")
    sizes = [int(size) for size in options.row.split(",")]
    columns = ["NumPy", "LLVM", *(["JAX"] if installed("jax") else [])]
    slower: list[str] = []
    behind: list[str] = []
    print(f"Milliseconds for one training step, T,B,I,H = {options.row}.\n")

    def rows() -> Iterator[list[str]]:
        for name in options.only:
            found = contestants(name, sizes, "JAX" in columns)
            if not options.no_check:
                check_agreement({column: train() for column, train in found.items()}, 1e-2)
            times = interleaved(found, options.repeat)
            ratios = [
                times.get(other, np.nan) / times["LLVM"] for other in columns if other != "LLVM"
            ]
            for ratio, names in zip(ratios, (slower, behind)):
                if ratio < 1 / SLACK:
                    names.append(name)
            numbers = [number(1000 * times[c]) if c in times else "-" for c in columns]
            yield [name, *numbers, *(f"{r:.2f}" if r == r else "-" for r in ratios)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something has no compiled form
        heading = ["cell", *columns, *(f"{c} / LLVM" for c in columns if c != "LLVM")]
        print_table(heading, rows())
    print(f"\nLLVM slower than NumPy: {', '.join(slower) or 'none'}")
    print(f"LLVM behind JAX: {', '.join(behind) or 'none'}")


if __name__ == "__main__":
    main()
