"""`tinygrad-rnn report`: a page about trained networks, for a name that the reader chooses."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..parser import CommandError, add_command, add_language, add_out, out_file

if TYPE_CHECKING:
    from ...training.names import Classifier, Corpus, Trained
    from ..parser import Commands

__all__ = ["corpus_of", "register", "trained_models"]

_DETAILS = """\
Writes a page about the networks of a run: what they predict for a name and
whether it is right, how good they are, which classes they confuse, and what
happens inside, letter by letter.
OPTIONS
examples:
  tinygrad-rnn report runs/surnames --name Kowalski
  tinygrad-rnn report runs/surnames --name Esposito --cell lstm --out esposito.html
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "report", "write a page about trained networks", _DETAILS)
    parser.add_argument(
        "run", metavar="RUN", help="folder of a training run, such as runs/surnames"
    )
    parser.add_argument("--name", metavar="NAME", help="the name to read (default: a held-out one)")
    parser.add_argument(
        "--cell",
        metavar="CELL",
        nargs="+",
        help="the cells to compare (default: all of the run); your own cell needs its code: "
        "my_file.py:MyCell",
    )
    add_language(parser)
    add_out(parser, "report.html in RUN", "file to write, .html")
    parser.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from ... import viz
    from ...training.names import Trained
    from ..pictures import LETTERS_IN_REPORT, REPORT_FILE, name_of_length

    if options.out is None:  # the run's own report, written again
        out = Path(options.run) / REPORT_FILE
    else:
        out = out_file(options, options.out)
    if out.suffix != ".html":
        raise CommandError(f"--out is {options.out!r}, but should end in .html")
    trained = Trained.load(options.run)
    models = trained_models(trained, options.cell)
    corpus = corpus_of(options.run, trained)
    name = options.name or name_of_length(corpus, LETTERS_IN_REPORT)
    viz.names_report(out, models, corpus, trained.histories, name)
    print(f"How {' and '.join(models)} read {name!r}")
    print(f"Open {out.resolve().as_uri()}")
    return 0


def trained_models(trained: Trained, specs: list[str] | None) -> dict[str, Classifier]:
    """The networks of a run. Code runs only if the user names it, never because a file does."""
    from ...cells import discover
    from ...training.names import RunConfig
    from ...user_code import blame, find_cell

    own = [name for name in trained.histories if name not in discover()]
    if specs is None and own:
        raise CommandError(
            f"{str(trained.path)!r} has cells whose code is not in it; say where the code is, or "
            f"which cells to use: --cell {' '.join(trained.histories)}"
        )
    models = {}
    for spec in specs or RunConfig.read(trained.path).cells:
        cell = find_cell(spec)
        with blame(cell.file):
            models[cell.name] = trained.model(cell.name, cell.cell)
    return models


def corpus_of(run: str, trained: Trained) -> Corpus:
    """The names that a run was trained on and the held-out ones, read again from their source."""
    from ...data import load_names
    from ...training.names import Corpus, RunConfig

    corpus = Corpus.of(load_names(RunConfig.read(run).data), trained.settings.seed)
    if (corpus.classes, corpus.vocabulary.letters) != (trained.classes, trained.vocabulary.letters):
        raise CommandError(f"the names have changed since {run!r} was trained on them")
    return corpus
