"""`tinygrad-rnn train`: trains cells to classify names, measures them, and saves them."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..parser import CommandError, add_command, add_language

if TYPE_CHECKING:
    from ...training.names import Classifier, Corpus, NamesRun, RunConfig, Settings
    from ...user_code import NamedCell
    from ..parser import Commands, Parser

__all__ = ["register"]

_DETAILS = """\
Trains recurrent networks to tell which language a surname comes from, letter by
letter: the plain RNN, then the LSTM, or the cells that you choose. One name in
five is held out for evaluation.

Each run has a folder of its own, runs/NAME, with
  CELL/checkpoint.safetensors  weights and everything else that training needs,
                               as of the last complete epoch
  CELL/metrics.jsonl           the metrics, one line per epoch
  run.json                     the settings of the run
  bptt.svg                     backpropagation through time of a name, unrolled
  report.html                  what the networks predict, how good they are, and
                               what their gradients and gates do

EXPERIMENT is your own Python file with a function main(run). It is called
instead and may train anything with fit(..., run=run).
OPTIONS
examples:
  tinygrad-rnn train
  tinygrad-rnn train --cell gru --epochs 5 --hidden-size 64
  tinygrad-rnn train --data my_names --cell lstm my_file.py:MyCell
  tinygrad-rnn train my_experiment.py
  tinygrad-rnn train --resume runs/surnames

Your own cell is a class with MyCell(input_size, hidden_size). Ctrl-C stops the
run; everything up to the last complete epoch is kept. --resume continues from
there, even if the run was killed, and ends with the same weights.
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "train", "train networks to classify names", _DETAILS)
    parser.add_argument(
        "experiment",
        metavar="EXPERIMENT",
        nargs="?",
        help="my_experiment.py, with a function main(run) (default: classify names, as above)",
    )
    parser.add_argument(
        "--cell",
        metavar="CELL",
        nargs="+",
        help="lstm, mingru or any of tinygrad_rnn.cells, or my_file.py:MyCell; several are trained "
        "one after the other "
        "(default: rnn lstm)",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with a UTF-8 text file CLASS.txt for each class, one name per line (default: "
        "the bundled surnames of 21 languages)",
    )
    parser.add_argument("--out", metavar="DIR", help="folder of runs (default: runs)")
    parser.add_argument(
        "--name",
        help="the run's folder in it (default: the name of the data, or the next free one)",
    )
    parser.add_argument(
        "--resume", metavar="RUN", help="continue the run in this folder, with its settings"
    )
    add_language(parser)
    _add_settings(parser)
    parser.set_defaults(command=_train)


def _add_settings(parser: Parser) -> None:
    """An option for each field of Settings."""
    from ...training.names import Settings

    group = parser.add_argument_group("the network and its training")
    for setting in fields(Settings):
        kind = type(setting.default)
        group.add_argument(
            f"--{setting.name.replace('_', '-')}",
            type=kind,
            metavar="N" if kind is int else "X",
            help=f"{setting.metadata['help']} (default: {setting.default})",
        )


def _train(options: argparse.Namespace) -> int:
    from ...data import load_names
    from ...training.names import Corpus, NamesRun
    from ...user_code import find_cell
    from ..folders import new_folder, remove_if_nothing_was_learnt

    if options.experiment is not None:
        from ..experiment import run_experiment

        refuse_options(options, "with an experiment", except_for=("out", "name", "resume"))
        return run_experiment(options)
    config, specs = _config(options)
    cells = [find_cell(spec) for spec in specs]
    if len({cell.name for cell in cells}) < len(cells):
        raise CommandError(f"--cell names one cell twice: {' '.join(c.name for c in cells)}")
    corpus = Corpus.of(load_names(config.data), config.settings.seed)
    models = [_built(cell, corpus, config.settings) for cell in cells]
    if options.resume:
        folder = Path(options.resume)
    else:
        data = None if config.data is None else Path(config.data).resolve()
        folder = new_folder(options, "surnames" if data is None else data.name)
        names = tuple(cell.name for cell in cells)
        replace(config, data=None if data is None else str(data), cells=names).write(folder)
    try:
        run = NamesRun(folder, corpus, config.settings, resume=bool(options.resume))
        return _run(dict(zip(cells, models, strict=True)), run)
    finally:
        remove_if_nothing_was_learnt(folder)


def _config(options: argparse.Namespace) -> tuple[RunConfig, list[str]]:
    """The settings of the run, from the options or its own record, and how to find its cells."""
    from ...training.names import RunConfig, Settings

    if not options.resume:
        given = {s.name: getattr(options, s.name) for s in fields(Settings)}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        specs = options.cell or ["rnn", "lstm"]
        return RunConfig(options.data, tuple(specs), settings), specs
    refuse_options(options, "with --resume", except_for=("resume", "cell"))
    folder = Path(options.resume)
    if not (folder / "run.json").exists() and next(folder.rglob("checkpoint.safetensors"), None):
        raise CommandError(
            f"{options.resume!r} is the run of an experiment; give its file, too: train "
            f"my_experiment.py --resume {options.resume}"
        )
    config = RunConfig.read(options.resume)
    return config, _cells_again(options, config)


def _cells_again(options: argparse.Namespace, config: RunConfig) -> list[str]:
    """The cells of a resumed run. Code runs only if the user names it."""
    specs = options.cell or list(config.cells)
    names = [spec if ":" not in spec else f"{Path(spec).name}" for spec in specs]
    if tuple(names) != config.cells:
        raise CommandError(f"--cell: the run in {options.resume!r} has {' '.join(config.cells)}")
    if options.cell is None and any(":" in name for name in config.cells):
        raise CommandError(
            f"the run in {options.resume!r} has cells whose code is not in it; say where the code "
            f"is: --cell {' '.join(config.cells)}"
        )
    return specs


def refuse_options(options: argparse.Namespace, where: str, except_for: tuple[str, ...]) -> None:
    """CommandError if an option is given that has no meaning there."""
    known = {*except_for, "experiment", "command", "language"}
    given = [name for name, value in vars(options).items() if value is not None]
    wrong = [f"--{name.replace('_', '-')}" for name in given if name not in known]
    if wrong:
        raise CommandError(f"{', '.join(wrong)}: not {where}")


def _built(cell: NamedCell, corpus: Corpus, settings: Settings) -> Classifier:
    """The model around `cell`, tried on a few names so that mistakes show before training."""
    from ...data import pad
    from ...training.names import build
    from ...user_code import blame

    with blame(cell.file):
        model = build(cell.cell, corpus, settings)
        model.probabilities(*pad(corpus.train.codes[:2]))
    return model


def _run(models: dict[NamedCell, Classifier], run: NamesRun) -> int:
    from ...compiler.backends.blas import one_blas_thread
    from .. import progress
    from ..pictures import draw

    progress.beginning(run.corpus, run.folder)
    try:
        for cell, model in models.items():
            with one_blas_thread():
                _train_one(cell, model, run)
    except KeyboardInterrupt:
        return progress.stopped(models, run)
    with one_blas_thread():
        draw(models, run)
    progress.results(models, run)
    return 0


def _train_one(cell: NamedCell, model: Classifier, run: NamesRun) -> None:
    from ...training.names import train_names
    from ...user_code import blame
    from ..ctrl_c import between_steps
    from ..progress import EpochTable

    with between_steps() as check, blame(cell.file):
        table = EpochTable(cell.name, model, check)
        run.histories[cell.name] = train_names(
            model, run.corpus, run.settings, callbacks=[table], run=run.part(cell.name)
        )
        check()
