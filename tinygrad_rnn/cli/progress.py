"""What `tinygrad-rnn train` prints as it runs and at the end, within 80 columns."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..invocation import command
from ..training.loop import Callback
from .pictures import REPORT_FILE

if TYPE_CHECKING:
    from ..training import Training
    from ..training.names import Classifier, Corpus, NamesRun
    from ..user_code import NamedCell

__all__ = ["EpochTable", "beginning", "results", "stopped"]

_WIDTH = 80


def beginning(corpus: Corpus, folder: Path) -> None:
    """Print the size of the data and where the results go."""
    train, held_out = len(corpus.train), len(corpus.held_out)
    print(f"{train + held_out:,} names of {len(corpus.classes)} classes; {held_out:,} are held out")
    print(f"Results go to {folder}/")


class EpochTable(Callback):
    """A line for each epoch of one cell, below them a progress bar (if it is a terminal)."""

    def __init__(self, cell: str, model: Classifier, check: Callable[[], None]) -> None:
        self._heading = f"{cell}: {_weights(model):,} weights"
        self._cell, self._check = cell, check

    def before_fit(self, training: Training) -> None:
        """The heading, and an empty bar."""
        print(f"\n{self._heading}")
        print("  epoch   train loss   held-out loss   held-out accuracy   seconds", flush=True)
        # Python's idea of the terminal's size, which is 80 x 24 where the terminal says 0 x 0.
        size = shutil.get_terminal_size()
        self._bar = tqdm(
            total=training.epochs * len(training.data),
            initial=training.step,
            desc=self._cell,
            unit=" steps",
            disable=None,
            leave=False,
            ncols=min(size.columns, _WIDTH) - 1,
            nrows=size.lines,
        )
        for row in training.history:  # of a run that is resumed
            self._line(row)

    def close(self, training: Training) -> None:
        """Remove the bar."""
        self._bar.close()

    def after_step(self, training: Training) -> None:
        """One step of training is done."""
        self._bar.update()
        self._check()

    def after_epoch(self, training: Training) -> None:
        """One epoch is done."""
        self._line(training.metrics)

    def _line(self, row: Mapping[str, float]) -> None:
        self._bar.write(
            f"  {row['epoch']:5}{_loss(row['train_loss']):>13}{_loss(row['val_loss']):>16}"
            f"{row['val_accuracy']:20.3f}{row['seconds']:10.1f}",
            file=sys.stdout,
        )
        sys.stdout.flush()


def results(models: Mapping[NamedCell, Classifier], run: NamesRun) -> None:
    """The table of all cells, and what to do next."""
    width = max(len("cell"), *(len(cell.name) for cell in models))
    print(f"\n{'cell':<{width}}   weights   held-out loss   held-out accuracy   seconds")
    for cell, model in models.items():
        epochs = run.histories[cell.name]
        last, seconds = epochs[-1], sum(epochs["seconds"])
        print(
            f"{cell.name:<{width}}{_weights(model):10,}{_loss(last['val_loss']):>16}"
            f"{last['val_accuracy']:20.3f}{seconds:10.1f}"
        )
    print(f"\nIn {run.folder}/: {', '.join(sorted(f.name for f in run.folder.iterdir()))}")
    name = run.corpus.held_out.names[len(run.corpus.held_out) // 2]
    best = max(models, key=lambda cell: run.histories[cell.name][-1]["val_accuracy"])
    own = [cell.spec for cell in models if cell.file]  # their code is not in the run
    asked = ["--cell", best.spec] if own else []
    print(f"Now try: {command('predict', run.folder, name, *asked)}")
    cells = ["--cell", *(cell.spec for cell in models)] if own else []
    print(f"         {command('report', run.folder, '--name', name, *cells)}")
    if (run.folder / REPORT_FILE).exists():
        print(f"\nOpen {(run.folder / REPORT_FILE).resolve().as_uri()}")


def stopped(models: Mapping[NamedCell, Classifier], run: NamesRun) -> int:
    """Print what is kept after Ctrl-C; returns the exit status."""
    parts = {cell.name: run.part(cell.name) for cell in models}
    kept = ", ".join(
        f"{cell} after epoch {len(part.history())}"
        for cell, part in parts.items()
        if part.checkpoint.exists()
    )
    where = "no epoch was complete: nothing kept"
    if kept:
        resume = command("train", "--resume", run.folder)
        where = f"kept in {run.folder}/: {kept} (to continue: {resume})"
    print(f"tinygrad-rnn: stopped by Ctrl-C; {where}", file=sys.stderr)
    return 130


def _weights(model: Classifier) -> int:
    return sum(parameter.size for parameter in model.parameters())


def _loss(value: float) -> str:
    """A loss that fits into the table, even a very large one."""
    return f"{value:.3f}" if abs(value) < 1e6 else f"{value:.3g}"
