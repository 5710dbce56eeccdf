"""The report of any training: its history, and what its first recurrent layer does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import nn
from ...engine.recording.mode import no_grad
from ...engine.tensor import Tensor, from_numpy
from ...language import say
from ..charts.history import plot_history
from .section import Section, chart_figure, write_report
from .views import views

if TYPE_CHECKING:
    from ...training import Training

__all__ = ["training_report"]

STEPS = 10  # of a sequence that are shown
_HISTORY = "Each metric after each epoch; those of training were measured during the epoch."


def training_report(
    path: str | os.PathLike[str], trainings: Mapping[str, Training], title: str = ""
) -> Path:
    """Write a page about trainings by name: histories, and each model's first recurrent layer.

    The layer reads the beginning of the first sequence of a batch, of the validation data if there
    are any. The gradient shown is that of the last output. OSError if the page cannot be written.

    >>> import tempfile
    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.GRU(2, 3)
    >>> training = tg.training.Training(
    ...     model, lambda model, batch: tg.square(model(batch)[1]).mean(), [tg.ones(4, 1, 2)],
    ...     optimizer=tg.optim.SGD(model.parameters()),
    ... )
    >>> training.train_epoch()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     training_report(Path(folder) / "report.html", {"GRU": training}).name
    'report.html'
    """
    charts = [chart_figure(plot_history(t.history), name) for name, t in trainings.items()]
    read = {name: found for name, t in trainings.items() if (found := _what_is_read(t))}
    sections = [Section(say("History"), say(_HISTORY), charts)]
    if read:
        layers = {name or say("layer"): layer for name, (layer, _) in read.items()}
        x = {name or say("layer"): x for name, (_, x) in read.items()}
        steps = max(len(given) for given in x.values())
        sections += views(layers, x, [str(t) for t in range(steps)])
    return write_report(path, title or say("Training"), sections)


def _what_is_read(training: Training) -> tuple[nn.Module, Tensor] | None:
    """The first recurrent layer that one batch goes through, and its input."""
    data = training.data if training.validation is None else training.validation
    if callable(data):
        data = training.data
    seen: list[tuple[nn.Module, Any]] = []
    layers = [m for m in training.model.modules() if isinstance(m, nn.Recurrent)]
    was_training = training.model.training
    training.model.eval()
    for layer in layers:
        _note_calls(layer, seen)
    try:
        with no_grad():
            for batch in islice(data, 1):
                training.loss(training.model, batch)
    finally:
        for layer in layers:
            object.__delattr__(layer, "forward")
        training.model.train(was_training)
    for called, given in seen:
        x = given.numpy() if isinstance(given, Tensor) else np.asarray(given)
        if x.ndim >= 3:
            first = from_numpy(x[:STEPS, :1].copy())
            return called, first.requires_grad_().named("x") if x.dtype.kind == "f" else first
    return None


def _note_calls(layer: Any, seen: list[tuple[nn.Module, Any]]) -> None:
    """Let the layer note its arguments, until its `forward` is removed again."""
    forward = layer.forward

    def noting(x: Any, *rest: Any, **options: Any) -> Any:
        seen.append((layer, x))
        return forward(x, *rest, **options)

    object.__setattr__(layer, "forward", noting)
