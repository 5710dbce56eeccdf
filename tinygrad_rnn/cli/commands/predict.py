"""`tinygrad-rnn predict`: which language a name comes from, according to a trained model."""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

from ...errors import TinygradRnnError
from ...terminal import printable
from ..parser import CommandError, add_command

if TYPE_CHECKING:
    from ...training.names import Classifier, Trained
    from ..parser import Commands

__all__ = ["register"]

_DETAILS = """\
Prints the most probable languages of each name.
OPTIONS
example:
  tinygrad-rnn predict runs/surnames Kowalski Esposito
"""
_BAR_WIDTH = 30


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "predict", "tell which language a name comes from", _DETAILS)
    parser.add_argument(
        "run", metavar="RUN", help="folder of a training run, such as runs/surnames"
    )
    parser.add_argument("names", metavar="NAME", nargs="+", help="a name")
    parser.add_argument(
        "--cell",
        metavar="CELL",
        help="the cell to use, if the run has several (default: the most accurate); your own cell "
        "needs its code: my_file.py:MyCell",
    )
    parser.add_argument(
        "--top", type=int, metavar="N", default=5, help="languages to show (default: %(default)s)"
    )
    parser.set_defaults(command=_predict)


def _predict(options: argparse.Namespace) -> int:
    from ...training.names import Trained

    if options.top < 1:
        raise CommandError(f"--top is {options.top}, but must be at least 1")
    trained = Trained.load(options.run)
    cell, model = _model(trained, options.cell)
    print(f"{cell}, accuracy on held-out names {trained.accuracies[cell]:.3f}")
    # Rank every name that can be ranked; then report the others.
    problems = []
    for name in options.names:
        try:
            codes = trained.encode(name)
        except TinygradRnnError as error:
            problems.append(error)
            continue
        ranked = trained.rank(model, codes)
        if not all(math.isfinite(probability) for _, probability in ranked):
            raise CommandError(
                f"{cell} gives no probabilities, because some of its weights are not finite; "
                "train it again with a smaller --learning-rate"
            )
        print(printable(f"\n{name}"))
        for language, probability in ranked[: options.top]:
            bar = "█" * round(probability * _BAR_WIDTH)
            line = f"  {language:<{_width(trained)}}  {probability:6.1%}  {bar}"
            print(printable(line.rstrip()))
    sys.stdout.flush()
    for problem in problems:
        print("tinygrad-rnn:", printable(problem), file=sys.stderr)
    return 2 if problems else 0


def _width(trained: Trained) -> int:
    return min(max(map(len, trained.classes)), 30)


def _model(trained: Trained, spec: str | None) -> tuple[str, Classifier]:
    """The model to ask. Code runs only if the user names it, never because a file does."""
    from ...cells import discover
    from ...user_code import blame, find_cell

    if spec is None and trained.best not in discover():
        raise CommandError(
            f"the most accurate cell of {str(trained.path)!r} is {trained.best!r}, whose code is "
            f"not in the model file; say where the code is: --cell {trained.best}"
        )
    cell = find_cell(trained.best if spec is None else spec)
    with blame(cell.file):
        return cell.name, trained.model(cell.name, cell.cell)
