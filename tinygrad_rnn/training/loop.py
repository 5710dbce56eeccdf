"""The training loop: epochs of steps, each epoch measured on held-out names."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .. import nn, ops, optim
from ..data import Batch, batches
from ..engine.mode import no_grad
from ..engine.tensor import Tensor
from ..errors import TinygradRnnError
from .classifier import CellMaker, Classifier
from .corpus import Corpus, Part
from .settings import Settings

__all__ = ["Epoch", "TrainingError", "build", "evaluate", "fit"]

_MEASURED_AT_ONCE = 256


class TrainingError(TinygradRnnError):
    """Training that cannot go on, because the loss is no number any more.

    >>> issubclass(TrainingError, TinygradRnnError)
    True
    """


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch.

    Losses are cross entropies in nats a name, accuracies shares of the names. `train_loss` and
    `train_accuracy` are means over the epoch's steps, while the weights change and dropout acts.
    `learning_rate` is that of the last step; `gradient_norm` the mean norm before clipping;
    `seconds` the epoch's time, measuring included.

    >>> Epoch(1, 0.7, 0.75, 0.6, 0.8, 0.001, 0.9, 2.5).val_accuracy
    0.8
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    gradient_norm: float
    seconds: float


def build(make_cell: CellMaker, corpus: Corpus, settings: Settings) -> Classifier:
    """A new model for `corpus`, its weights drawn from `settings.seed`.

    >>> from tinygrad_rnn.data import load_names
    >>> build(nn.RNNCell, Corpus.of(load_names()), Settings()).readout.out_features
    21
    """
    ops.manual_seed(settings.seed)
    return Classifier(make_cell, len(corpus.vocabulary), len(corpus.classes), settings)


def fit(
    model: Classifier,
    corpus: Corpus,
    settings: Settings,
    after_step: Callable[[], object] = lambda: None,
) -> Iterator[Epoch]:
    """Train `model` on `corpus.train`, yielding what was measured after each epoch.

    AdamW with a learning rate that falls to 0 along a cosine, and gradients clipped by their
    norm. `after_step()` is called after each step, for a progress bar. The order of the names and
    the dropout follow from `settings.seed`, so a run can be had again bit for bit.

    TrainingError if the loss becomes infinite or NaN; the weights are then those of the step
    before.

    >>> from tinygrad_rnn.data import load_names
    >>> settings = Settings(hidden_size=4, epochs=2, batch_size=2000)
    >>> corpus = Corpus.of(load_names())
    >>> model = build(nn.GRUCell, corpus, settings)
    >>> first, second = fit(model, corpus, settings)
    >>> second.train_loss < first.train_loss
    True
    """
    ops.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    optimizer = optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * steps_an_epoch(corpus, settings)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for epoch in range(1, settings.epochs + 1):
        start = time.perf_counter()
        names, loss_sum, right_sum, norm_sum = 0, 0.0, 0, 0.0
        part = corpus.train
        for count, batch in enumerate(
            batches(part.codes, part.labels, settings.batch_size, rng), start=1
        ):
            learning_rate = schedule.get_last_lr()[0]
            loss, right, norm = _step(model, batch, optimizer, settings.clip_norm)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss} in epoch {epoch}, step {count} (learning rate "
                    f"{learning_rate:.3g}, clip norm {settings.clip_norm:g}): lower one of them"
                )
            schedule.step()
            names += len(batch.labels)
            loss_sum += loss * len(batch.labels)
            right_sum += right
            norm_sum += norm
            after_step()
        val_loss, val_accuracy = evaluate(model, corpus.held_out)
        yield Epoch(
            epoch=epoch,
            train_loss=loss_sum / names,
            train_accuracy=right_sum / names,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            learning_rate=learning_rate,
            gradient_norm=norm_sum / count,
            seconds=time.perf_counter() - start,
        )


def steps_an_epoch(corpus: Corpus, settings: Settings) -> int:
    """How many steps `fit` takes in an epoch: batches, the last of which may be smaller."""
    return -(-len(corpus.train) // settings.batch_size)


def _step(
    model: Classifier, batch: Batch, optimizer: optim.Optimizer, clip_norm: float
) -> tuple[float, int, float]:
    """One step; the mean loss before it, how many names were right, the gradients' norm."""
    # A diverging run overflows; the check of the loss says so, NumPy need not warn as well.
    with np.errstate(over="ignore", invalid="ignore"):
        optimizer.zero_grad()
        scores = model(batch.inputs, batch.lengths)
        loss = nn.cross_entropy(scores, batch.labels)
        if math.isfinite(loss.item()):
            loss.backward()
            learned = [p for group in optimizer.param_groups for p in group["params"]]
            norm = optim.clip_grad_norm_(learned, clip_norm).item()
            optimizer.step()
        else:
            norm = math.nan
    return loss.item(), _right(scores, batch), norm


def _right(scores: Tensor, batch: Batch) -> int:
    """How many names have the highest score at their own class."""
    return int(np.sum(scores.detach().numpy().argmax(axis=-1) == batch.labels))


def evaluate(model: Classifier, part: Part) -> tuple[float, float]:
    """The mean loss (nats a name) and the accuracy on `part`, without dropout.

    >>> from tinygrad_rnn.data import load_names
    >>> corpus = Corpus.of(load_names())
    >>> loss, accuracy = evaluate(build(nn.RNNCell, corpus, Settings()), corpus.held_out)
    >>> accuracy < 0.5  # nothing has been learnt yet
    True
    """
    loss, right = 0.0, 0
    model.eval()
    with no_grad():
        for batch in batches(part.codes, part.labels, _MEASURED_AT_ONCE, rng=None):
            scores = model(batch.inputs, batch.lengths)
            loss += nn.cross_entropy(scores, batch.labels, reduction="sum").item()
            right += _right(scores, batch)
    model.train()
    return loss / len(part), right / len(part)
