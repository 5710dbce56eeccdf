"""`tinygrad-rnn card`: everything known about a cell, on one page."""

from __future__ import annotations

import argparse
import inspect
import sys
from typing import TYPE_CHECKING, Any

from ...terminal import did_you_mean
from ..further import add_further_inputs
from ..parser import CommandError, add_command, add_language, add_out, out_file
from .check import setting

if TYPE_CHECKING:
    from ...testing import CellReport
    from ...user_code import NamedCell
    from ..parser import Commands

__all__ = ["register"]

_DETAILS = """\
Writes one HTML page about a cell that needs no network: the equations of a
step, recovered from its operations; parameters and FLOPs; what its structure
implies; pictures; how far back the gradient reaches, its Lyapunov exponents and
the error of truncation, at initialisation and trained; learning and speed
beside an LSTM; the table of laws. Every number links to its explanation. It
takes a minute or two, with --quick about 20 seconds.

OPTIONS
examples:
  tinygrad-rnn card lstm
  tinygrad-rnn card my_file.py:MyCell --with input_size=4 hidden_size=8 heads=2
  tinygrad-rnn card mingru --quick --out mingru.html

In a notebook: tinygrad_rnn.card(MyCell(4, 8))
"""
_SIZES = {"input_size": 8, "hidden_size": 16}


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "card", "write a page about a cell", _DETAILS)
    parser.add_argument(
        "cell",
        metavar="CELL",
        help="lstm, mingru or any of tinygrad_rnn.cells, or your own cell: my_file.py:MyCell",
    )
    parser.add_argument(
        "--with",
        dest="sizes",
        metavar="NAME=VALUE",
        nargs="+",
        type=setting,
        default=[],
        help="the cell's arguments (default: input_size=8 hidden_size=16)",
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
        "--only",
        metavar="PART",
        nargs="+",
        help="the parts to write, such as: equations structure",
    )
    parser.add_argument(
        "--task",
        metavar="TASK",
        help="the task to learn: parity or any of tinygrad_rnn.data.tasks, or my_file.py:my_task "
        "(default: adding, over 30 steps)",
    )
    parser.add_argument("--quick", action="store_true", help="skip or shorten the slow parts")
    parser.add_argument("--seed", type=int, metavar="N", default=0, help="(default: %(default)s)")
    add_out(parser, "card-NAME.html", "the file")
    add_language(parser)
    parser.set_defaults(command=_card)


def _card(options: argparse.Namespace) -> int:
    from ...cards import card
    from ...cards.card import PARTS
    from ...ops import manual_seed
    from ...testing.cells.runs import complete
    from ...user_code import blame, find_cell, find_task, make_cell

    if options.out is not None and not options.out.endswith(".html"):
        raise CommandError(f"--out is {options.out!r}, but should end in .html")
    if min(options.input_shape or [1]) < 1:
        raise CommandError("--input-shape: each number at least 1")
    if options.indices is not None and options.indices < 1:
        raise CommandError(f"--indices: at least 1, not {options.indices}")
    if unknown := [part for part in options.only or () if part not in PARTS]:
        guess = did_you_mean(unknown[0], PARTS)
        raise CommandError(f"--only: no part {unknown[0]!r}{guess}; they are {', '.join(PARTS)}")
    named = find_cell(options.cell)
    task = None if options.task is None else find_task(options.task).make
    out = out_file(options, f"card-{_short(named)}.html")
    manual_seed(options.seed)
    sizes: dict[str, Any] = complete(named.cell, {**_taken(named.cell), **dict(options.sizes)})
    cell = make_cell(named, sizes)
    with blame(named.file):
        found = card(
            cell,
            inputs=None if options.indices is None else range(options.indices),
            input_shape=options.input_shape,
            task=task,
            step_inputs=dict(options.step_inputs),
            constants=dict(options.constants),
            only=options.only,
            quick=options.quick,
            seed=options.seed,
            progress=sys.stderr.isatty(),
        )
    found.save(out)
    lines = len(found.equations.lines)
    print(f"{found.cell}: {lines} equation{'s' * (lines != 1)}{_laws(found.laws)}")
    print(f"Written in {found.seconds:.0f} seconds: {out}")
    print(f"Open {out.resolve().as_uri()}")
    return 0


def _short(named: NamedCell) -> str:
    return named.name if named.file is None else named.cell.__name__.lower()


def _taken(cell: type) -> dict[str, int]:
    """The usual sizes, of those that the cell takes."""
    takes = inspect.signature(cell).parameters
    return {name: size for name, size in _SIZES.items() if name in takes}


def _laws(report: CellReport | None) -> str:
    if report is None:
        return ""
    return f", {report.summary}"
