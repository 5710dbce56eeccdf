"""The task: a model, its loss, and how it is trained, with `tinygrad_rnn.training.fit`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import nn, ops, optim
from ...data import Batch, PaddedBatches
from ...engine.tensor import Tensor
from ..fitting import fit
from ..history import History
from ..loop import Callback, evaluate
from ..run import Run
from .classifier import CellMaker, Classifier
from .corpus import Corpus, Part
from .settings import Settings

__all__ = ["build", "measure", "names_loss", "task", "train_names"]

_MEASURED_AT_ONCE = 256


def build(make_cell: CellMaker, corpus: Corpus, settings: Settings) -> Classifier:
    """A new model for `corpus`, its weights drawn from `settings.seed`.

    >>> from tinygrad_rnn.data import load_names
    >>> build(nn.RNNCell, Corpus.of(load_names()), Settings()).readout.out_features
    21
    """
    ops.manual_seed(settings.seed)
    return Classifier(make_cell, len(corpus.vocabulary), len(corpus.classes), settings)


def names_loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Any]]:
    """The mean cross entropy, in nats a name, and the `accuracy`: the share of right names.

    >>> from tinygrad_rnn.data import load_names
    >>> corpus = Corpus.of(load_names())
    >>> model = build(nn.RNNCell, corpus, Settings())
    >>> sorted(evaluate(model, names_loss, batches_of(corpus.held_out)))
    ['accuracy', 'loss']
    """
    scores = model(batch.inputs, batch.lengths)
    right = scores.detach().numpy().argmax(axis=-1) == batch.labels
    return nn.cross_entropy(scores, batch.labels), {"accuracy": np.mean(right)}


def train_names(
    model: Classifier,
    corpus: Corpus,
    settings: Settings,
    *,
    callbacks: Sequence[Callback] = (),
    run: Run | None = None,
    progress: bool = False,
) -> History:
    """Train `model` on `corpus.train`, measured on the names held out after each epoch.

    AdamW with a learning rate that falls to 0 along a cosine, and gradients clipped by their
    norm. The order of the names and the dropout follow from `settings.seed`, so a run can be had
    again bit for bit. `callbacks`, `run`, `progress` and errors are those of `fit`.

    >>> from tinygrad_rnn.data import load_names
    >>> settings = Settings(hidden_size=4, epochs=2, batch_size=2000)
    >>> corpus = Corpus.of(load_names())
    >>> first, second = train_names(build(nn.GRUCell, corpus, settings), corpus, settings)
    >>> second["train_loss"] < first["train_loss"]
    True
    """
    arguments = task(model, corpus, settings)
    return fit(model, **arguments, callbacks=callbacks, run=run, progress=progress)


def task(model: Classifier, corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """The arguments of `fit` for `train_names`; the random numbers begin at `settings.seed`.

    >>> from tinygrad_rnn.data import load_names
    >>> settings = Settings(hidden_size=4, epochs=2, batch_size=2000)
    >>> corpus = Corpus.of(load_names())
    >>> list(task(build(nn.GRUCell, corpus, settings), corpus, settings))
    ['loss', 'data', 'validation', 'epochs', 'optimizer', 'schedule', 'clip']
    """
    ops.manual_seed(settings.seed)
    data = batches_of(corpus.train, settings.batch_size, settings.seed)
    optimizer = optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * len(data)
    return {
        "loss": names_loss,
        "data": data,
        "validation": batches_of(corpus.held_out),
        "epochs": settings.epochs,
        "optimizer": optimizer,
        "schedule": optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
        "clip": settings.clip_norm,
    }


def measure(model: Classifier, part: Part) -> dict[str, float]:
    """The mean `loss` (nats a name) and the `accuracy` on `part`, without dropout.

    >>> from tinygrad_rnn.data import load_names
    >>> corpus = Corpus.of(load_names())
    >>> measure(build(nn.RNNCell, corpus, Settings()), corpus.held_out)["accuracy"] < 0.5
    True
    """
    return evaluate(model, names_loss, batches_of(part))


def batches_of(
    part: Part, batch_size: int = _MEASURED_AT_ONCE, seed: int | None = None
) -> PaddedBatches:
    """The names of `part` in batches: shuffled with a seed, in their order without.

    >>> part = Part(("ab", "b"), (np.array([1, 2]), np.array([2])), np.array([0, 1]))
    >>> len(batches_of(part, batch_size=1, seed=0))
    2
    """
    return PaddedBatches(part.codes, part.labels, batch_size=batch_size, generator=seed)
