"""What `tinygrad-rnn train` draws at its end: how the networks read names that they never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..engine.tensor import Tensor
    from ..training.names import Classifier, NamesRun
    from .user_code import NamedCell

__all__ = ["PICTURE_FILE", "REPORT_FILE", "draw"]

PICTURE_FILE = "bptt.svg"
REPORT_FILE = "report.html"

_LETTERS_IN_PICTURE = 5  # so that it fits a screen
_LETTERS_IN_REPORT = 8  # long enough for the gradient to have a way to go


def draw(models: Mapping[NamedCell, Classifier], run: NamesRun) -> None:
    """Draw the last model's picture, for a short name, and write the report on all of them."""
    _picture(*list(models.items())[-1], run)
    _report(models, run)


def _picture(cell: NamedCell, model: Classifier, run: NamesRun) -> None:
    """The map of the backpropagation through time."""
    from .. import viz

    name, loss = _chosen(run, _LETTERS_IN_PICTURE)
    title = f"{cell.name} reading {run.corpus.held_out.names[name]!r}"
    picture = viz.bptt(model.read, _letters(model, run, name), loss, title=title, level="gates")
    picture.save(run.folder / PICTURE_FILE)


def _report(models: Mapping[NamedCell, Classifier], run: NamesRun) -> None:
    """The page on all models, reading the same name."""
    from .. import viz

    part, corpus = run.corpus.held_out, run.corpus
    name, loss = _chosen(run, _LETTERS_IN_REPORT)
    viz.report(
        run.folder / REPORT_FILE,
        {cell.name: model.read for cell, model in models.items()},
        {cell.name: _letters(model, run, name) for cell, model in models.items()},
        [corpus.vocabulary.decode([code]) for code in part.codes[name]],
        loss,
        title=f"Reading {part.names[name]!r} ({corpus.classes[part.labels[name]]})",
    )


def _chosen(run: NamesRun, letters: int) -> tuple[int, Callable[[Tensor], Tensor]]:
    """The place of the first held-out name of about so many letters, and the loss for it."""
    from .. import ops

    part = run.corpus.held_out
    name = min(range(len(part)), key=lambda i: abs(len(part.codes[i]) - letters))
    label = int(part.labels[name])
    return name, lambda scores: (-ops.log_softmax(scores)[0, label]).named("loss")


def _letters(model: Classifier, run: NamesRun, name: int) -> Any:
    """What the recurrent layer reads: the letters embedded, with a gradient of their own."""
    codes = run.corpus.held_out.codes[name]
    letters = model.eval().embedding(codes[:, None]).detach()
    return letters.requires_grad_().named("letter")
