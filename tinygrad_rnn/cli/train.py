"""`tinygrad-rnn train`: the main job. Trains cells, measures them, keeps what they learnt."""

from __future__ import annotations

import argparse
from dataclasses import fields
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from .parser import CommandError, add_command

if TYPE_CHECKING:
    from ..training.names import Classifier, Corpus, Recorder, Settings
    from .parser import Commands, Parser
    from .user_code import NamedCell

__all__ = ["register"]

_DETAILS = """\
Trains recurrent networks to tell which language a surname comes from, letter by
letter: the plain RNN, then the LSTM, or the cells that you name. One name in five
is held out, to measure on.

Each run has a folder of its own, runs/NAME, with
  model.safetensors   the weights and settings of all its cells
  metrics.jsonl       what was measured, one line a cell and epoch
  bptt.svg            the unrolled backpropagation through time for one name
  report.html         the same for all its cells, and what their gradients and
                      gates do
OPTIONS
examples:
  tinygrad-rnn train
  tinygrad-rnn train --cell gru --epochs 5 --hidden-size 64
  tinygrad-rnn train --data my_names --cell lstm my_file.py:MyCell

A cell of your own is a class with MyCell(input_size, hidden_size).
Ctrl-C stops; what was learnt up to the last complete epoch is kept.
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "train", "train networks to tell names apart", _DETAILS)
    parser.add_argument(
        "--cell",
        metavar="CELL",
        nargs="+",
        default=["rnn", "lstm"],
        help="rnn, lstm, gru, or my_file.py:MyCell; several are trained one after the other "
        "(default: rnn lstm)",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with a UTF-8 text file CLASS.txt for each class, one name a line "
        "(default: surnames of 21 languages, which come along)",
    )
    parser.add_argument(
        "--out", metavar="DIR", default="runs", help="folder of runs (default: %(default)s)"
    )
    parser.add_argument(
        "--name", help="the run's folder in it (default: that of the data, or the next free)"
    )
    _add_settings(parser)
    parser.set_defaults(command=_train)


def _add_settings(parser: Parser) -> None:
    """An option for each field of Settings."""
    from ..training.names import Settings

    group = parser.add_argument_group("the network and its training")
    for setting in fields(Settings):
        kind = type(setting.default)
        group.add_argument(
            f"--{setting.name.replace('_', '-')}",
            type=kind,
            metavar="N" if kind is int else "X",
            default=setting.default,
            help=f"{setting.metadata['help']} (default: {setting.default})",
        )


def _train(options: argparse.Namespace) -> int:
    from ..data import load_names
    from ..training.names import Corpus, Recorder, Settings
    from .user_code import find_cell

    settings = Settings(**{s.name: getattr(options, s.name) for s in fields(Settings)})
    cells = [find_cell(spec) for spec in options.cell]
    if len({cell.name for cell in cells}) < len(cells):
        raise CommandError(f"--cell names one cell twice: {' '.join(c.name for c in cells)}")
    corpus = Corpus.of(load_names(options.data), settings.seed)
    models = [_built(cell, corpus, settings) for cell in cells]
    folder = _new_folder(Path(options.out), options.name, options.data)
    try:
        recorder = Recorder(folder, corpus, settings)
        return _run(dict(zip(cells, models, strict=True)), recorder)
    finally:
        if not any(folder.iterdir()):  # nothing was learnt
            folder.rmdir()


def _built(cell: NamedCell, corpus: Corpus, settings: Settings) -> Classifier:
    """The model around `cell`, tried on a few names: mistakes in it show before anything runs."""
    from ..data import pad
    from ..training.names import build
    from .user_code import blame

    with blame(cell):
        model = build(cell.cell, corpus, settings)
        model.probabilities(*pad(corpus.train.codes[:2]))
    return model


def _new_folder(out: Path, name: str | None, data: str | None) -> Path:
    """A folder that was not there before, so that no run writes over another."""
    if name is not None:
        folder = out / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise CommandError(
                f"{str(folder)!r} is there already: choose another --name, or remove it"
            ) from None
        return folder
    base = "surnames" if data is None else Path(data).resolve().name
    for number in count(1):
        folder = out / (base if number == 1 else f"{base}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if out.exists() and not out.is_dir():
                raise
            continue
        return folder
    raise AssertionError("there are enough numbers")


def _run(models: dict[NamedCell, Classifier], recorder: Recorder) -> int:
    from ..training.threads import one_blas_thread
    from . import report
    from .pictures import draw

    report.beginning(recorder.corpus, recorder.folder)
    try:
        for cell, model in models.items():
            with one_blas_thread():
                _train_one(cell, model, recorder)
    except KeyboardInterrupt:
        return report.stopped(recorder)
    with one_blas_thread():
        draw(models, recorder)
    report.results(models, recorder)
    return 0


def _train_one(cell: NamedCell, model: Classifier, recorder: Recorder) -> None:
    from ..training.names import train_names
    from .ctrl_c import between_steps
    from .report import EpochTable
    from .user_code import blame

    settings, corpus = recorder.settings, recorder.corpus
    with between_steps() as check, blame(cell):
        table = EpochTable(cell.name, model, check, recorder)
        train_names(model, corpus, settings, callbacks=[table])
        check()
