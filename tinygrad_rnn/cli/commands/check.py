"""`tinygrad-rnn check`: all laws of a cell, as a table."""

from __future__ import annotations

import argparse
import ast
from typing import TYPE_CHECKING, Any

from ...terminal import coloured, did_you_mean, printable
from ..further import add_further_inputs
from ..parser import CommandError, add_command

if TYPE_CHECKING:
    from ..parser import Commands

__all__ = ["register", "setting"]

_DETAILS = """\
Checks a cell, or with --layer the layer that runs it: its gradients with
respect to every parameter, input and initial state, at each time step; that
rows of a batch are independent; padding, splitting, reversing, saving and
loading. Prints a table of laws. For a broken law it prints the smallest
counterexample, with the op, time step and line where a gradient first goes
wrong.

OPTIONS
examples:
  tinygrad-rnn check my_file.py:MyCell
  tinygrad-rnn check my_file.py:MyCell --with input_size=4 hidden_size=8 heads=2
  tinygrad-rnn check my_file.py:MyCell --indices 27
  tinygrad-rnn check my_file.py:DecayCell --step-inputs dt=1 --constants memory=7x4
  tinygrad-rnn check lstm --layer num_layers=2 bidirectional=True

Exit status: 0 if all laws hold, 1 if one is broken, 2 if the cell cannot be run.
In your own tests: tinygrad_rnn.testing.check_cell(MyCell)
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "check", "check a cell: gradients, padding, ...", _DETAILS)
    parser.add_argument(
        "cell",
        metavar="CELL",
        help="lstm, mingru, or any of tinygrad_rnn.cells, or my_file.py:MyCell",
    )
    parser.add_argument(
        "--with",
        dest="sizes",
        metavar="NAME=VALUE",
        nargs="+",
        type=setting,
        default=[],
        help="the cell's arguments (default: 2 for input_size, 3 for others without default)",
    )
    parser.add_argument(
        "--indices",
        type=int,
        metavar="N",
        help="x holds indices from 0 to N - 1, such as characters, instead of numbers",
    )
    parser.add_argument(
        "--input-shape",
        type=int,
        metavar="N",
        nargs="+",
        help="shape of one input, such as 3 8 8 for an image (default: input_size)",
    )
    add_further_inputs(parser)
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="X",
        default=60.0,
        help="time limit; laws not reached by then are not checked (default: %(default)g)",
    )
    parser.add_argument(
        "--layer",
        metavar="NAME=VALUE",
        nargs="*",
        type=setting,
        help="check a layer of the cell, nn.Recurrent, with these options (none: one layer)",
    )
    parser.add_argument(
        "--except",
        dest="except_for",
        metavar="LAW",
        nargs="+",
        default=[],
        help="laws that the cell is not meant to satisfy, by their names in the table",
    )
    parser.add_argument("--seed", type=int, metavar="N", default=0, help="(default: %(default)s)")
    parser.set_defaults(command=_check)


def setting(text: str) -> tuple[str, Any]:
    """An argument of a cell on the command line: `heads=2`."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value  # a word


def _check(options: argparse.Namespace) -> int:
    from ... import nn
    from ...testing import CellError, check_cell
    from ...testing.cells.runs import complete
    from ...testing.laws import LAWS
    from ...user_code import blame, find_cell, make_cell

    names = [law.name for law in LAWS]
    for name in options.except_for:
        if name not in names:
            guess = did_you_mean(name, names)
            raise CommandError(f"--except: no law {name!r}{guess}; they are {', '.join(names)}")
    if options.seconds <= 0:
        raise CommandError(f"--seconds: more than 0, not {options.seconds:g}")
    if min(options.input_shape or [1]) < 1:
        raise CommandError("--input-shape: each number at least 1")
    if options.indices is not None and options.indices < 1:
        raise CommandError(f"--indices: at least 1, not {options.indices}")
    cell = find_cell(options.cell)
    make: Any = cell.cell
    sizes = dict(options.sizes)
    if options.layer is not None:
        made_with, sizes = complete(cell.cell, sizes), {}
        make = lambda: nn.Recurrent(cell.cell(**made_with), **dict(options.layer))
        make_cell(cell, made_with)
        try:
            make()
        except (TypeError, ValueError) as error:
            raise CommandError(f"--layer: {error}") from error
    with blame(cell.file):
        if options.layer is None:
            make_cell(cell, complete(cell.cell, sizes))
        try:
            report = check_cell(
                make,
                inputs=None if options.indices is None else range(options.indices),
                input_shape=options.input_shape,
                step_inputs=dict(options.step_inputs),
                constants=dict(options.constants),
                seconds=options.seconds,
                except_for=options.except_for,
                seed=options.seed,
                **sizes,
            )
        except CellError as error:
            report = error.report
    print(coloured(printable(report)))
    return 0 if report.ok else 1
