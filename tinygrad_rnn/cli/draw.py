"""`tinygrad-rnn draw`: the picture of a cell's backpropagation through time, without training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .parser import CommandError, add_command

if TYPE_CHECKING:
    from ..viz import Picture
    from .parser import Commands
    from .user_code import NamedCell

__all__ = ["register"]

_DETAILS = """\
Runs a cell, its weights as they are at first, over random inputs, and draws the
unrolled network with the gradient of the last step on its way back.
OPTIONS
examples:
  tinygrad-rnn draw lstm
  tinygrad-rnn draw my_file.py:MyCell --steps 30 --out map.html
  tinygrad-rnn draw gru --level ops --steps 4 --out gru.svg

A cell of your own is a class with MyCell(input_size, hidden_size).
"""
_NUMBERS = {  # option: (default, least, what it is)
    "steps": (12, 1, "time steps"),
    "fold": (12, 0, "steps drawn in full, those between are folded; 0: all"),
    "input-size": (8, 1, "numbers in an input"),
    "hidden-size": (16, 1, "units of the state"),
    "batch-size": (1, 1, "sequences at once"),
    "layers": (1, 1, "recurrent layers"),
    "truncate": (0, 0, "steps after which the gradient is cut; 0: nowhere"),
    "seed": (0, 0, "of weights and inputs"),
}


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    from ..viz.model.levels import LEVELS

    parser = add_command(commands, "draw", "draw backpropagation through time", _DETAILS)
    parser.add_argument("cell", metavar="CELL", help="rnn, lstm, gru, or my_file.py:MyCell")
    parser.add_argument(
        "--out",
        metavar="FILE",
        default="bptt.html",
        help="file to write, .html, .svg or .dot (default: %(default)s)",
    )
    parser.add_argument(
        "--level", choices=LEVELS, default="gates", help="of detail (default: %(default)s)"
    )
    for name, (default, _, what) in _NUMBERS.items():
        parser.add_argument(
            f"--{name}", type=int, metavar="N", default=default, help=f"{what} (default: {default})"
        )
    parser.add_argument("--bidirectional", action="store_true", help="a second cell reads backward")
    parser.set_defaults(command=_draw)


def _draw(options: argparse.Namespace) -> int:
    from ..viz.pictures.picture import ENDINGS
    from .user_code import blame, find_cell

    for name, (_, least, _) in _NUMBERS.items():
        given = getattr(options, name.replace("-", "_"))
        if given < least:
            raise CommandError(f"--{name} is {given}, but must be at least {least}")
    out = Path(options.out)
    if out.suffix not in ENDINGS:
        raise CommandError(f"--out {options.out!r} should end in {' or '.join(ENDINGS)}")
    cell = find_cell(options.cell)
    with blame(cell):
        picture = _picture(cell, options)
    picture.save(out)
    print(f"{cell.name} over {options.steps} steps: {out}")
    return 0


def _picture(cell: NamedCell, options: argparse.Namespace) -> Picture:
    from .. import nn, ops, viz

    ops.manual_seed(options.seed)
    model = nn.Recurrent(
        cell.cell(options.input_size, options.hidden_size),
        options.layers,
        bidirectional=options.bidirectional,
        truncate=options.truncate or None,
    )
    x = ops.randn(options.steps, options.batch_size, options.input_size)
    return viz.bptt(
        model, x.named("x"), level=options.level, fold=options.fold or None, title=cell.name
    )
