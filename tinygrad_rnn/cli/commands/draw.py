"""`tinygrad-rnn draw`: the picture of a cell's backpropagation through time, without training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ...language import say
from ..further import add_further_inputs, random_inputs
from ..parser import CommandError, add_command, add_language, add_out, out_file

if TYPE_CHECKING:
    from ...nn import Cell
    from ...user_code import NamedCell
    from ...viz import Picture
    from ..parser import Commands

__all__ = ["register"]

_DETAILS = """\
Runs an untrained cell over random inputs and draws the unrolled network, with
the gradient that flows back from the last step. Or draws a trained network of a
run as it reads a name.
OPTIONS
examples:
  tinygrad-rnn draw lstm
  tinygrad-rnn draw lstm --steps 100 --forget-bias 3
  tinygrad-rnn draw runs/surnames --name Kowalski
  tinygrad-rnn draw my_file.py:MyCell --steps 30 --out map.html
  tinygrad-rnn draw gru --level ops --steps 4 --out gru.svg

Your own cell is a class with MyCell(input_size, hidden_size).
"""
_FILE = "bptt.html"
_NUMBERS = {  # option: (default, least, what it is)
    "steps": (12, 1, "time steps"),
    "fold": (12, 0, "steps drawn in full, the middle ones are folded; 0: draw all"),
    "input-size": (8, 1, "features of an input"),
    "hidden-size": (16, 1, "units of the state"),
    "batch-size": (1, 1, "sequences at once"),
    "layers": (1, 1, "recurrent layers"),
    "truncate": (0, 0, "steps after which the gradient is cut; 0: never"),
    "seed": (0, 0, "seed of weights and inputs"),
}


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    from ...viz.model.levels import LEVELS

    parser = add_command(commands, "draw", "draw backpropagation through time", _DETAILS)
    parser.add_argument(
        "cell",
        metavar="CELL",
        help="lstm, mingru or any of tinygrad_rnn.cells, my_file.py:MyCell, or the folder of a run",
    )
    parser.add_argument("--name", metavar="NAME", help="for a run: the name to read")
    parser.add_argument(
        "--trained", metavar="CELL", help="for a run: the network (default: the most accurate)"
    )
    parser.add_argument(
        "--forget-bias", type=float, metavar="X", help="bias of an LSTM's forget gate"
    )
    add_further_inputs(parser)
    add_language(parser)
    add_out(parser, _FILE, "file to write, .html, .svg, .png, .pdf or .dot")
    parser.add_argument(
        "--level", choices=LEVELS, default="gates", help="level of detail (default: %(default)s)"
    )
    for name, (default, _, what) in _NUMBERS.items():
        parser.add_argument(
            f"--{name}", type=int, metavar="N", default=default, help=f"{what} (default: {default})"
        )
    parser.add_argument(
        "--bidirectional", action="store_true", help="add a second cell that reads backward"
    )
    parser.set_defaults(command=_draw)


def _draw(options: argparse.Namespace) -> int:
    from ...user_code import blame, find_cell
    from ...viz.pictures.picture import ENDINGS

    for name, (_, least, _) in _NUMBERS.items():
        given = getattr(options, name.replace("-", "_"))
        if given < least:
            raise CommandError(f"--{name} is {given}, but must be at least {least}")
    out = out_file(options, _FILE)
    if out.suffix not in ENDINGS:
        raise CommandError(f"--out {str(out)!r} should end in {' or '.join(ENDINGS)}")
    if Path(options.cell).is_dir():
        picture = _trained(options)
    elif options.name or options.trained:
        raise CommandError("--name and --trained are for the folder of a run, not for a cell")
    else:
        cell = find_cell(options.cell)
        with blame(cell.file):
            picture = _picture(cell, options)
    try:
        picture.save(out)
    except ImportError as error:  # what PNG and PDF need is not installed
        raise CommandError(str(error)) from error
    print(picture.title)
    if picture.note:
        print(picture.note)
    print(f"Open {out.resolve().as_uri()}")
    return 0


def _trained(options: argparse.Namespace) -> Picture:
    """A trained network reading a name."""
    from ...training.names import Trained
    from ..pictures import LETTERS_IN_REPORT, name_of_length, reading
    from .report import corpus_of, trained_models

    trained = Trained.load(options.cell)
    ((cell, model),) = trained_models(trained, [options.trained or trained.best]).items()
    corpus = corpus_of(options.cell, trained)
    name = options.name or name_of_length(corpus, LETTERS_IN_REPORT)
    return reading(cell, model, corpus, name, options.level, options.fold or None)


def _picture(cell: NamedCell, options: argparse.Namespace) -> Picture:
    from ... import nn, ops, viz

    ops.manual_seed(options.seed)
    made = cell.cell(options.input_size, options.hidden_size)
    if options.forget_bias is not None:
        _open_forget_gate(made, options.forget_bias)
    model = nn.Recurrent(
        made,
        options.layers,
        bidirectional=options.bidirectional,
        truncate=options.truncate or None,
    )
    x = ops.randn(options.steps, options.batch_size, options.input_size)
    title = say("{name} over {count} steps", name=cell.name, count=options.steps)
    if options.forget_bias is not None:
        title += f", forget bias {options.forget_bias:g}"
    given = random_inputs(made, options)
    picture = viz.bptt(
        lambda x: model(x, **given),
        x.named("x"),
        level=options.level,
        fold=options.fold or None,
        title=title,
    )
    picture.note = _why_it_vanishes(picture)
    return picture


def _open_forget_gate(cell: Cell, bias: float) -> None:
    from ... import nn

    if not isinstance(cell, nn.LSTMCell):
        raise CommandError("--forget-bias is for lstm: no other cell has the bias of that gate")
    nn.init.forget_gate_bias_(cell.bias_ih, bias)
    nn.init.forget_gate_bias_(cell.bias_hh, 0.0)


def _why_it_vanishes(picture: Picture) -> str:
    """If a gradient vanishes past half-closed forget gates: a sentence that says so."""
    gates = [n.value for n in picture.graph if n.name == "forget gate" and n.op is not None]
    vanishes = any(d.verdict == "vanishes" for d in picture.drawing(picture.level).descents)
    if not gates or not vanishes:
        return ""
    mean = sum(float(value.mean()) for value in gates) / len(gates)
    if mean > 0.8:
        return ""
    return (
        f"It vanishes because the forget gate is {mean:.2f} on average, as with a bias of 0: each "
        "step keeps that share of the gradient. --forget-bias 3 opens it."
    )
