"""Callbacks: hooks into the training loop, each a few lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from .loop import Callback, Training

__all__ = ["EachEpoch", "EarlyStopping", "KeepBest", "as_callbacks"]


class _AfterEpoch(Callback):
    """A function that is called after each epoch."""

    def __init__(self, function: Callable[[Training], object]) -> None:
        self._function = function

    def after_epoch(self, training: Training) -> None:
        self._function(training)


def as_callbacks(callbacks: Any) -> list[Callback]:
    """The callbacks, with each function wrapped as one that is called after each epoch."""
    if isinstance(callbacks, Callback) or callable(callbacks):
        raise TypeError(f"callbacks is {type(callbacks).__name__}, not a list: write [callback]")
    for callback in callbacks:
        if isinstance(callback, type) or not isinstance(callback, Callback | Callable):
            raise TypeError(f"{callback!r} is no callback: neither a Callback nor a function")
    return [c if isinstance(c, Callback) else _AfterEpoch(c) for c in callbacks]


class _Watched(Callback):
    """Tracks one metric and its best value so far."""

    def __init__(self, metric: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode is {mode!r}, but must be 'min' or 'max'")
        self.metric, self.mode, self.min_delta = metric, mode, min_delta
        self.value = math.inf if mode == "min" else -math.inf
        self.epoch = 0  # of the best value so far

    def improved(self, training: Training) -> bool:
        """Whether the metric is the best so far; if so, it is stored."""
        value = metric_of(training, self.metric)
        gain = self.value - value if self.mode == "min" else value - self.value
        if not gain > self.min_delta:  # NaN is no gain
            return False
        self.value, self.epoch = value, training.epoch
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.value, self.epoch = state["value"], state["epoch"]


class EarlyStopping(_Watched):
    """Stop when `metric` has not improved for `patience` epochs in a row.

    `mode`: "min" if lower is better, "max" if higher is. An improvement is more than `min_delta`.
    The weights remain those of the last epoch; add `KeepBest` to get those of the best one.

    Prechelt, "Early stopping - but when?" (Neural Networks: Tricks of the Trade, 1998).

    >>> import tinygrad_rnn as tg
    >>> x = tg.nn.Parameter([0.0])  # nothing to be learnt
    >>> history = tg.training.fit(
    ...     tg.nn.Module(), lambda model, batch: (x * x).sum(), [0], epochs=100,
    ...     optimizer=tg.optim.SGD([x]), callbacks=[EarlyStopping("train_loss", patience=3)],
    ...     progress=False,
    ... )
    >>> len(history)
    4
    """

    def __init__(
        self,
        metric: str = "val_loss",
        patience: int = 5,
        *,
        mode: str = "min",
        min_delta: float = 0.0,
    ) -> None:
        super().__init__(metric, mode, min_delta)
        if patience < 1:
            raise ValueError(f"patience is {patience}, but must be at least 1")
        self.patience = patience

    def after_epoch(self, training: Training) -> None:
        """See `Callback`."""
        if not self.improved(training) and training.epoch - self.epoch >= self.patience:
            training.stop(
                f"{self.metric} has not improved since epoch {self.epoch}, {self.value:.4g}"
            )


class KeepBest(_Watched):
    """Keep the weights of the epoch where `metric` was best; the model has them after `fit`.

    `state` is the model's `state_dict()` of that epoch, `epoch` its number, `value` the metric.
    They are part of the run's checkpoint. With `restore=False` the model keeps its final weights.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Linear(1, 1)
    >>> best = KeepBest("train_loss")
    >>> _ = tg.training.fit(
    ...     model, lambda model, batch: (model.weight ** 2).sum(), [0], epochs=3,
    ...     optimizer=tg.optim.SGD(model.parameters(), lr=1.5), callbacks=[best], progress=False,
    ... )
    >>> best.epoch  # the step is too large
    1
    >>> bool((model.weight.data == best.state["weight"]).all())
    True
    """

    def __init__(
        self, metric: str = "val_loss", *, mode: str = "min", restore: bool = True
    ) -> None:
        super().__init__(metric, mode)
        self.restore = restore
        self.state: dict[str, Any] = {}

    def after_epoch(self, training: Training) -> None:
        """See `Callback`."""
        if self.improved(training):
            self.state = training.model.state_dict()

    def after_fit(self, training: Training) -> None:
        """See `Callback`."""
        if self.restore and self.state:
            training.model.load_state_dict(self.state)

    def state_dict(self) -> dict[str, Any]:
        """See `Callback`."""
        return {**super().state_dict(), "state": self.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Callback`."""
        super().load_state_dict(state)
        self.state = dict(state["state"])


class EachEpoch(Callback):
    """Step a learning-rate schedule after each epoch, with the metric if it needs one.

    >>> import tinygrad_rnn as tg
    >>> x = tg.nn.Parameter([0.0])
    >>> optimizer = tg.optim.SGD([x], lr=1.0)
    >>> plateau = tg.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    >>> history = tg.training.fit(
    ...     tg.nn.Module(), lambda model, batch: (x * x).sum(), [0], epochs=3, optimizer=optimizer,
    ...     callbacks=[EachEpoch(plateau, "train_loss")], progress=False,
    ... )
    >>> history["learning_rate"]
    [1.0, 1.0, 0.1]
    """

    def __init__(self, schedule: LRScheduler | ReduceLROnPlateau, metric: str = "") -> None:
        if isinstance(schedule, ReduceLROnPlateau) and not metric:
            raise ValueError(
                "ReduceLROnPlateau waits for a metric: EachEpoch(schedule, 'val_loss')"
            )
        self.schedule, self.metric = schedule, metric

    def after_epoch(self, training: Training) -> None:
        """See `Callback`."""
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(metric_of(training, self.metric))
        else:
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """See `Callback`."""
        return self.schedule.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self.schedule.load_state_dict(state)


def metric_of(training: Training, name: str) -> float:
    """The metric `name` of the last epoch; ValueError if there is no such metric."""
    if name not in training.metrics:
        advice = " (fit has no validation=)" if name.startswith("val_") else ""
        raise ValueError(
            f"no metric {name!r} is measured{advice}; there are {', '.join(training.metrics)}"
        )
    return training.metrics[name]
