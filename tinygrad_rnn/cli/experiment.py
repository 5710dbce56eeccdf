"""`tinygrad-rnn train my_experiment.py`: the user's own training, with a folder and a report.

The file has a function `main(run)`. `run` is a `tg.training.Run`, for `fit(..., run=run)`; with
several trainings, each gets a part of it: `run=run.part("lstm")`. If `main` returns a dict of
numbers, such as the result of `over_seeds`, they are printed.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..invocation import command
from ..user_code import UserCodeError, blame, run_file
from .folders import new_folder, remove_if_nothing_was_learnt
from .parser import CommandError

if TYPE_CHECKING:
    from ..training import Run

__all__ = ["run_experiment"]

_REPORT_FILE = "report.html"
_WIDTH = 79


def run_experiment(options: argparse.Namespace) -> int:
    """Call the file's `main(run)`, then write the report; returns the exit status."""
    from ..compiler.backends.blas import one_blas_thread
    from ..training import Run
    from ..viz.report.training import training_report

    main = _main_of(Path(options.experiment))
    if options.resume:
        folder = Path(options.resume)
        if options.out or options.name:
            raise CommandError(
                "--out and --name cannot be combined with --resume, which gives the folder"
            )
        if not folder.is_dir():
            raise CommandError(f"--resume: there is no folder {str(folder)!r}")
    else:
        folder = new_folder(options, Path(options.experiment).stem)
    print(f"Results go to {folder}/")
    run = Run(folder, resume=bool(options.resume))
    try:
        with one_blas_thread():
            found = _called(main, run, options.experiment)
            if run.trainings:
                training_report(folder / _REPORT_FILE, run.trainings, Path(options.experiment).name)
    except KeyboardInterrupt:
        return _stopped(options.experiment, folder)
    finally:
        remove_if_nothing_was_learnt(folder)
    if not run.trainings:
        raise CommandError(
            f"{options.experiment} trained nothing in the run: pass it on, fit(..., run=run)"
        )
    _results(run, found)
    return 0


def _main_of(file: Path) -> Callable[[Run], Any]:
    """The function `main(run)` of the user's file."""
    found = getattr(run_file(file, str(file)), "main", None)
    if not inspect.isfunction(found):
        raise UserCodeError(
            f"{str(file)!r} has no function main(run): write one that calls fit(..., run=run)"
        )
    try:
        inspect.signature(found).bind(None)
    except TypeError:
        raise UserCodeError(
            f"{str(file)!r}: main{inspect.signature(found)} should be main(run): it receives the "
            "run and passes it on, fit(..., run=run)"
        ) from None
    return found


def _called(main: Callable[[Run], Any], run: Run, file: str) -> Any:
    from ..errors import TinygradRnnError

    try:
        with blame(Path(file)):
            return main(run)
    except UserCodeError as error:
        if isinstance(error.__cause__, TinygradRnnError):  # the message says everything already
            raise error.__cause__ from None
        raise


def _results(run: Run, found: Any) -> None:
    """The last metrics of each training, the result of `main`, and where everything is."""
    for name, training in run.trainings.items():
        last = {n: v for n, v in training.metrics.items() if n not in ("epoch", "seconds")}
        shown = "  ".join(f"{n} {v:.4g}" for n, v in last.items())
        heading = f"{name}: " if name else ""
        line = f"{heading}{training.epoch} epochs  {shown}"
        print(textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_long_words=False))
    if isinstance(found, Mapping):
        for name, value in found.items():
            print(f"{name}: {value}")
    print(f"\nIn {run.folder}/: {', '.join(sorted(f.name for f in run.folder.iterdir()))}")


def _stopped(experiment: str, folder: Path) -> int:
    from ..training.run import checkpoints_in

    kept = "no epoch was complete: nothing kept"
    if checkpoints_in(folder):
        kept = f"to continue: {command('train', experiment, '--resume', folder)}"
    print(f"tinygrad-rnn: stopped by Ctrl-C; {kept}", file=sys.stderr)
    return 130
