"""`tinygrad-rnn check`: all laws of a cell, as a table."""

from __future__ import annotations

import argparse
import ast
from typing import TYPE_CHECKING, Any

from .parser import CommandError, add_command

if TYPE_CHECKING:
    from .parser import Commands

__all__ = ["register"]

_DETAILS = """\
Checks a cell: its gradients by every parameter, input and initial state, at each
time step; that rows of a batch stay apart; padding, splitting, reversing, saving
and loading. Prints a table of laws; for a broken one the smallest counterexample,
with the op, time step and line where a gradient first goes wrong.

OPTIONS
examples:
  tinygrad-rnn check my_file.py:MyCell
  tinygrad-rnn check my_file.py:MyCell --with input_size=4 hidden_size=8 heads=2
  tinygrad-rnn check lstm

Exit status: 0 if all laws hold, 1 if one is broken, 2 if the cell cannot be run.
In a test of your own: tinygrad_rnn.testing.check_cell(MyCell)
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "check", "check a cell: gradients, padding, ...", _DETAILS)
    parser.add_argument("cell", metavar="CELL", help="my_file.py:MyCell, or rnn, lstm, gru")
    parser.add_argument(
        "--with",
        dest="sizes",
        metavar="NAME=VALUE",
        nargs="+",
        type=_setting,
        default=[],
        help="what the cell is made with (default: 2 for input_size, 3 for others without default)",
    )
    parser.add_argument(
        "--except",
        dest="except_for",
        metavar="LAW",
        nargs="+",
        default=[],
        help="laws by the names in the table that the cell is not meant to keep",
    )
    parser.add_argument("--seed", type=int, metavar="N", default=0, help="(default: %(default)s)")
    parser.set_defaults(command=_check)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value  # a word


def _check(options: argparse.Namespace) -> int:
    from ..testing import CellError, check_cell
    from ..testing.cell_laws import LAWS
    from .user_code import blame, find_cell

    unknown = set(options.except_for) - {law.name for law in LAWS}
    if unknown:
        raise CommandError(
            f"--except: no law {', '.join(sorted(unknown))}; they are "
            + ", ".join(law.name for law in LAWS)
        )
    cell = find_cell(options.cell)
    with blame(cell):
        try:
            report = check_cell(
                cell.cell, except_for=options.except_for, seed=options.seed, **dict(options.sizes)
            )
        except CellError as error:
            report = error.report
    print(report)
    return 0 if report.ok else 1
