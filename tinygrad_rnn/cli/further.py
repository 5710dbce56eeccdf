"""The options of commands for a cell's further inputs, such as a time gap: their shapes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..nn import Cell
    from .parser import Parser

__all__ = ["add_further_inputs", "further_inputs", "random_inputs"]

Shapes = dict[str, tuple[int, ...]]


def add_further_inputs(parser: Parser) -> None:
    """The options `--step-inputs` and `--constants`: dicts of the shapes of further inputs."""
    for option, what in (
        ("step-inputs", "further inputs of each step (those not given have shape 1)"),
        ("constants", "inputs that are the same at every step"),
    ):
        parser.add_argument(
            f"--{option}",
            metavar="NAME=SHAPE",
            nargs="+",
            type=_named_shape,
            default=[],
            help=f"{what}, and their shapes in a row of the batch, such as dt=1 memory=7x4",
        )


def _named_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, shape = text.partition("=")
    sizes = shape.split("x") if shape else []
    if not equals or not name.isidentifier() or not all(size.isdecimal() for size in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=SHAPE, such as dt=1")
    return name, tuple(map(int, sizes))


def further_inputs(cell: Cell, options: argparse.Namespace) -> tuple[Shapes, Shapes]:
    """The shapes of a cell's inputs of each step, and of its constants, from these options.

    TypeError for a name that the cell does not take.
    """
    from ..nn.recurrent.inputs import check_names

    timed, same = dict(options.step_inputs), dict(options.constants)
    takes = cell.step_inputs()
    needed = [name for name, needs in takes.items() if needs and name not in same]
    timed = {**dict.fromkeys(needed, (1,)), **timed}
    check_names(type(cell).__name__, takes, timed, same)
    return timed, same


def random_inputs(cell: Cell, options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a layer of the cell besides x: named Tensors, uniform in [0, 1).

    They are drawn from the package's generator. TypeError as for `further_inputs`.
    """
    from .. import ops

    timed, same = further_inputs(cell, options)
    dtype, batch = cell.zeros().dtype, options.batch_size
    found: dict[str, Any] = {
        name: ops.rand(options.steps, batch, *shape, dtype=dtype).named(name)
        for name, shape in timed.items()
    }
    if same:
        found["constants"] = {
            name: ops.rand(batch, *shape, dtype=dtype).named(name) for name, shape in same.items()
        }
    return found
