"""`tinygrad-rnn compare`: cells of equal size on the same tasks; a table and a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...invocation import command
from ...terminal import printable
from ..parser import add_command, add_language

if TYPE_CHECKING:
    from ..parser import Commands

__all__ = ["register"]

_DETAILS = """\
Trains each cell on each task with each seed, and compares: loss and accuracy on
held-out data, with the spread over the seeds; learning curves; the gradient
flow before and after training; speed. Writes FOLDER/report.html, and a line of
JSON for each finished run to FOLDER/results.jsonl. If interrupted, the same
command continues where it stopped; with more cells, tasks or seeds it runs only
the new ones.

OPTIONS
examples:
  tinygrad-rnn compare lstm mingru my_file.py:MyCell --tasks adding copy --seeds 3
  tinygrad-rnn compare mogrifierlstm mogrifierlstm,rounds=2 --tasks parity --steps 20
  tinygrad-rnn compare lstm gru --tasks my_file.py:my_task --workers 2
  tinygrad-rnn compare lstm gru --dask tcp://10.0.0.5:8786

Your own task is a function that returns a tinygrad_rnn.data.tasks.Task.
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "compare", "compare cells on the same tasks", _DETAILS)
    parser.add_argument(
        "cells", metavar="CELL", nargs="+",
        help="lstm, mingru, or any of tinygrad_rnn.cells, or my_file.py:MyCell; its arguments "
            "follow a comma: lstm,bias=False",
    )  # fmt: skip
    parser.add_argument(
        "--tasks", metavar="TASK", nargs="+", default=["adding"],
        help="adding, copy_memory, delayed_recall, parity, sequential_digits, characters, "
        "irregular_series, or my_file.py:my_task (default: adding)",
    )  # fmt: skip
    parser.add_argument(
        "--match", choices=("parameters", "hidden", "none"), default="parameters",
        help="choose each cell's hidden size so that its parameter count is nearest to the first "
            "cell's; or give all the same hidden size; or give each its own, "
                "lstm,hidden_size=20 (default: %(default)s)",
    )  # fmt: skip
    sizes: list[tuple[str, type, Any, str]] = [
        ("seeds", int, 3, "runs of each cell on each task"),
        ("hidden-size", int, 32, "elements of the first cell's state"),
        ("epochs", int, 10, "epochs; each ends with a measurement on held-out data"),
        ("batches", int, 50, "steps of training in an epoch"),
        ("batch-size", int, 32, "sequences in a step of training"),
        ("steps", int, None, "length of the sequences (default: the task's)"),
        ("learning-rate", float, 0.01, "of Adam"),
        ("workers", int, 1, "processes to spread the runs over"),
    ]
    for name, kind, default, meaning in sizes:
        shown = "" if default is None else f" (default: {default})"
        parser.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            metavar="X" if kind is float else "N",
            help=f"{meaning}{shown}",
        )
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="run on a Dask cluster: the address of its scheduler"
    )
    parser.add_argument(
        "--out", metavar="FOLDER", default="runs/compare",
        help="folder for results, also read for finished runs (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--again", action="store_true", help="repeat runs that were made with other settings"
    )
    add_language(parser)
    parser.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> int:
    from ...comparison import ComparisonError, compare

    if options.dask is not None and options.workers > 1:
        raise ComparisonError(
            "--workers cannot be combined with --dask: the cluster has its own workers"
        )
    folder = Path(options.out)
    try:
        found = compare(
            options.cells,
            options.tasks,
            seeds=options.seeds,
            match=None if options.match == "none" else options.match,
            hidden_size=options.hidden_size,
            epochs=options.epochs,
            batches=options.batches,
            batch_size=options.batch_size,
            steps=options.steps,
            learning_rate=options.learning_rate,
            folder=folder,
            again=options.again,
            workers=options.workers,
            dask=options.dask,
        )
    except KeyboardInterrupt:
        return _stopped(folder)
    print(printable(found.table()))
    page = found.report(folder / "report.html", " and ".join(found.cells))
    print(f"\nResults: {folder / 'results.jsonl'}\nOpen {page.resolve().as_uri()}")
    return 0


def _stopped(folder: Path) -> int:
    from ...comparison.results import RESULTS_FILE

    path = folder / RESULTS_FILE
    kept = len(path.read_bytes().splitlines()) if path.exists() else 0
    told = f"{kept} finished run{'s are' if kept != 1 else ' is'} kept in {path}"
    again = command(*sys.argv[1:])
    print(f"tinygrad-rnn: stopped by Ctrl-C; {told}; to continue: {again}", file=sys.stderr)
    return 130
