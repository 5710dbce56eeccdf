"""What `tinygrad-rnn train` draws at the end: how the networks read a name they never saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..terminal import printable

if TYPE_CHECKING:
    from ..training.names import Classifier, Corpus, NamesRun
    from ..user_code import NamedCell
    from ..viz import Picture

__all__ = ["PICTURE_FILE", "REPORT_FILE", "draw", "name_of_length", "reading"]

PICTURE_FILE = "bptt.svg"
REPORT_FILE = "report.html"

_LETTERS_IN_PICTURE = 5  # so that it fits a screen
LETTERS_IN_REPORT = 8  # long enough to see how the gradient changes


def draw(models: Mapping[NamedCell, Classifier], run: NamesRun) -> None:
    """Draw the last model's picture, for a short name, and write the report on all of them.

    If something cannot be drawn, for example because weights are not finite, a message says so and
    the training is kept.
    """
    from .. import viz

    cell, model = list(models.items())[-1]
    by_name = {cell.name: model for cell, model in models.items()}
    short, name = (
        name_of_length(run.corpus, letters) for letters in (_LETTERS_IN_PICTURE, LETTERS_IN_REPORT)
    )

    def picture(path: Path) -> None:
        reading(cell.name, model, run.corpus, short).save(path)

    def page(path: Path) -> None:
        viz.names_report(path, by_name, run.corpus, run.histories, name)

    for file, write in ((PICTURE_FILE, picture), (REPORT_FILE, page)):
        try:
            write(run.folder / file)
        except ValueError as error:  # LinAlgError is one
            print(printable(f"No {file}: {error}"))


def reading(
    cell: str,
    model: Classifier,
    corpus: Corpus,
    name: str,
    level: str = "gates",
    fold: int | None = 12,
) -> Picture:
    """The map of a trained network reading a name, with the gradient of its loss.

    For a name of unknown class, the loss is that of the network's own answer.
    """
    from .. import ops, viz
    from ..viz.report.names import embedded, place_of

    letters = embedded(model, corpus, name)
    label = place_of(corpus, name)[0]
    goal = int(model.read(letters).data.argmax()) if label is None else label
    return viz.bptt(
        model.read,
        letters,
        lambda scores: (-ops.log_softmax(scores)[0, goal]).named("loss"),
        level=level,
        fold=fold,
        title=f"{cell} reading “{name}”",
        labels=list(name),
    )


def name_of_length(corpus: Corpus, letters: int) -> str:
    """The first held-out name of about that many letters."""
    return min(corpus.held_out.names, key=lambda name: abs(len(name) - letters))
