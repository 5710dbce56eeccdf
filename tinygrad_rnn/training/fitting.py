"""`fit`: the training of any model, from its first epoch to its last."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import nn, optim
from .callbacks import as_callbacks
from .history import History
from .loop import Callback, Clip, Loss, Training
from .progress import Progress
from .run import Run

__all__ = ["fit"]


def fit(
    model: nn.Module,
    loss: Loss,
    data: Iterable[Any],
    *,
    validation: Iterable[Any] | Callable[[nn.Module], Mapping[str, float]] | None = None,
    epochs: int,
    optimizer: optim.Optimizer,
    schedule: optim.lr_scheduler.LRScheduler | None = None,
    clip: Clip | None = None,
    callbacks: Sequence[Callback | Callable[[Training], object]] = (),
    run: Run | str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> History:
    """Train `model` for `epochs` passes over `data`; returns the history of metrics.

    `loss(model, batch)` returns a Tensor of one element, or that and a dict of metrics: numbers, or
    pairs (number, weight). The history holds the mean of each over an epoch, as `train_loss` and
    `train_NAME`. Batches are weighted by their attribute `weight`, which those of
    `tinygrad_rnn.data` have; without it a batch counts 1. A metric named `loss` replaces the
    minimised loss in the history.

    `data`: batches that can be iterated repeatedly. `validation`: the same, evaluated after each
    epoch with the same loss in evaluation mode and without gradients, as `val_...`; or a function
    of the model that returns a dict of numbers. `optimizer` holds the parameters; `schedule` is
    stepped after each of its steps (`EachEpoch` is for schedules that count epochs). `clip`: the
    largest total norm of the gradients, or a function of the parameters. `callbacks`: see
    `Callback`; a function is called with the `Training` after each epoch.

    `run`: a folder that does not hold a run yet, or a `Run`. After each epoch everything that
    training depends on is saved to it, so that it can be resumed; `data` then needs `state_dict`
    and `load_state_dict`. `progress`: show a progress bar and a line for each epoch on stderr.

    TrainingError if the loss or its gradient becomes infinite or NaN: it names the step and the
    layer where that began, and the weights are those from before the step. The same error is raised
    if the validation loss does. TypeError and ValueError for arguments that do not fit, before
    anything is trained.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.data import PaddedBatches
    >>> tg.manual_seed(0)
    >>> words = [[1, 2], [2, 2, 1], [2, 1], [1, 1, 2]]  # does it begin with 1?
    >>> data = PaddedBatches(words, [1, 0, 0, 1], batch_size=2, generator=0)
    >>> class Net(tg.nn.Module):
    ...     def __init__(self):
    ...         self.embedding = tg.nn.Embedding(3, 4)
    ...         self.lstm = tg.nn.LSTM(4, 8)
    ...         self.readout = tg.nn.Linear(8, 2)
    ...     def forward(self, batch):
    ...         _, (h, _) = self.lstm(self.embedding(batch.inputs), lengths=batch.lengths)
    ...         return self.readout(h[-1])
    >>> def loss(model, batch):
    ...     scores = model(batch)
    ...     right = scores.data.argmax(-1) == batch.labels
    ...     return tg.nn.cross_entropy(scores, batch.labels), {"accuracy": right.mean()}
    >>> model = Net()
    >>> optimizer = tg.optim.Adam(model.parameters(), lr=0.05)
    >>> history = fit(model, loss, data, epochs=20, optimizer=optimizer, progress=False)
    >>> history["train_accuracy"][-1]
    1.0
    """
    training = Training(model, loss, data, validation, epochs, optimizer, schedule, clip)
    training.callbacks = as_callbacks(callbacks)
    if progress:
        training.callbacks.append(Progress())
    with Run.of(run) as run:
        run.begin(training)
        try:
            training.tell("before_fit")
            while training.epoch < epochs and not training.stopped:
                training.train_epoch(after_step=lambda: run.commit_between_epochs(training))
                training.tell("after_epoch")
                run.commit(training)
            training.tell("after_fit")
        finally:
            training.tell("close")
    return training.history
