"""The training loop: `Training.train_epoch` and `train_step`. `fit` calls them for each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict
from typing import Any, TypeAlias

import numpy as np

from .. import nn, optim
from ..engine.recording.mode import no_grad
from ..engine.tensor import Tensor
from ..ops import generator
from .checks import check_arguments
from .history import History
from .means import Means, measured
from .random_state import random_state, set_random_state
from .watch import TrainingError, origin

__all__ = ["Callback", "Clip", "Loss", "Training", "evaluate"]

Loss: TypeAlias = Callable[[Any, Any], Tensor | tuple[Tensor, Mapping[str, Any]]]
"""`loss(model, batch)`: what is minimised, a Tensor of one element; or that and metrics by name."""

Clip: TypeAlias = float | Callable[[list[Tensor]], Tensor | None]
"""The largest norm of all gradients together, or a function of the parameters."""


class Training:
    """A training in progress: what callbacks are given, and what a checkpoint holds.

    `epoch` and `step` count completed epochs and steps; `metrics` are those of the last completed
    epoch. `stop(reason)` ends the training after the current epoch. The other attributes are the
    arguments of `fit`, and its `history`.

    >>> import tinygrad_rnn as tg
    >>> x = tg.nn.Parameter([4.0])
    >>> training = Training(
    ...     tg.nn.Module(), lambda model, batch: (x * x).sum(), [0, 1], optimizer=tg.optim.SGD([x])
    ... )
    >>> training.train_epoch()
    >>> training.epoch, training.step, training.metrics["train_loss"] < 16
    (1, 2, True)
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        data: Iterable[Any],
        validation: Any = None,
        epochs: int = 1,
        optimizer: optim.Optimizer | None = None,
        schedule: optim.lr_scheduler.LRScheduler | None = None,
        clip: Clip | None = None,
    ) -> None:
        check_arguments(model, loss, data, validation, epochs, optimizer, schedule, clip)
        assert optimizer is not None  # a keyword only by the order of the arguments
        self.model, self.loss, self.validation = model, loss, validation
        self.data: Any = data  # iterable; with state_dict and load_state_dict if there is a run
        self.epochs, self.optimizer, self.schedule = epochs, optimizer, schedule
        self.clip = math.inf if clip is None else clip  # which measures the norm alone
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.callbacks: list[Callback] = []
        self.history = History()
        self.epoch, self.step, self.stopped = 0, 0, ""
        self.means, self.learning_rate = Means(), math.nan  # of the epoch that is going on

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the last completed epoch, by name."""
        return self.history[-1] if len(self.history) else {}

    def stop(self, reason: str) -> None:
        """End the training after this epoch; `reason` is one line of explanation."""
        self.stopped = reason

    def tell(self, event: str) -> None:
        """Call the method named `event` of every callback."""
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def train_epoch(self, after_step: Callable[[], object] = lambda: None) -> None:
        """A step for each batch of `data`, then the evaluation; or the rest of a resumed epoch."""
        self.model.train()
        start, before = time.perf_counter(), self.means.seconds
        for batch in self.data:
            self.train_step(batch)
            self.means.seconds = before + time.perf_counter() - start
            self.tell("after_step")
            after_step()
        if not self.means.batches:
            raise ValueError("data gave no batch: it is empty")
        row = {"epoch": self.epoch + 1, **self.means.values()}
        if self.validation is not None:
            row |= self._validated()
        row["learning_rate"] = self.learning_rate
        row["seconds"] = before + time.perf_counter() - start
        self.history.append(row)
        self.epoch, self.means = self.epoch + 1, Means()

    def train_step(self, batch: Any) -> None:
        """One step of the optimiser, down the gradient of the loss of `batch`."""
        drawn = generator().bit_generator.state
        # A diverging run overflows; the watch says so, NumPy need not warn as well.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self.optimizer.zero_grad()
            with ExitStack() as contexts:
                for callback in self.callbacks:
                    contexts.enter_context(callback.around_step(self))
                value, metrics = measured(self.loss, self.model, batch)
                if not math.isfinite(value.item()):
                    raise self._error("loss", value.item(), batch, drawn)
                value.backward()
            norm = self._clip()
            if not math.isfinite(norm):
                raise self._error("gradient's norm", norm, batch, drawn)
            self.learning_rate = self.optimizer.param_groups[0]["lr"]
            self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        self.step += 1
        shown = {f"train_{name}": metric for name, metric in metrics.items()}
        self.means.add({**shown, "gradient_norm": (norm, 1.0)})

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on, as `tg.save` takes it."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "stopped": self.stopped,
            "learning_rate": self.learning_rate,
            "means": asdict(self.means),
            "history": self.history.rows,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "data": self.data.state_dict(),
            "random": random_state(),
            "callbacks": [[name, callback.state_dict()] for name, callback in self._remembering()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.data.load_state_dict(state["data"])  # which says if the data are others
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        for (_, callback), (_, saved) in zip(self._remembering(), state["callbacks"], strict=True):
            callback.load_state_dict(saved)
        self.epoch, self.step, self.stopped = state["epoch"], state["step"], state["stopped"]
        self.means, self.learning_rate = Means(**state["means"]), state["learning_rate"]
        self.history.rows[:] = state["history"]
        set_random_state(state["random"])

    def setup(self) -> dict[str, Any]:
        """What must be the same when a run is resumed, recorded before it begins."""
        return {
            "model": {name: list(a.shape) for name, a in self.model.state_dict().items()},
            "optimizer": {
                "class": type(self.optimizer).__name__,
                "groups": self.optimizer.state_dict()["param_groups"],
            },
            "schedule": self.schedule
            and {"class": type(self.schedule).__name__, **self.schedule.state_dict()},
            "clip": getattr(self.clip, "__name__", "a function")
            if callable(self.clip)
            else self.clip,
            "callbacks": [name for name, _ in self._remembering()],
        }

    def _remembering(self) -> list[tuple[str, Callback]]:
        """The callbacks that have a state, and the names of their classes."""
        kept = [c for c in self.callbacks if type(c).state_dict is not Callback.state_dict]
        return [(type(callback).__name__, callback) for callback in kept]

    def _validated(self) -> dict[str, float]:
        """The metrics of `validation`."""
        found: Mapping[str, float]
        if callable(self.validation):
            self.model.eval()
            with no_grad():
                found = self.validation(self.model)
            self.model.train()
        else:
            # A NaN that the last step made shows here first, and is told by the watch.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                found = evaluate(self.model, self.loss, self.validation)
            if not math.isfinite(found["loss"]):
                raise self._validation_error(found["loss"])
        return {f"val_{name}": float(value) for name, value in found.items()}

    def _error(self, what: str, value: float, batch: Any, drawn: Any) -> TrainingError:
        """In which step `what` became `value`, and where: the step is made once more, watched.

        `drawn`: the state that the generator had before it. Gradients are forgotten.
        """

        def again() -> None:
            self.optimizer.zero_grad()
            measured(self.loss, self.model, batch)[0].backward()

        after = generator().bit_generator.state
        generator().bit_generator.state = drawn
        where = origin(self.model, again)
        generator().bit_generator.state = after
        self.optimizer.zero_grad()
        step = f"epoch {self.epoch + 1}, step {self.means.batches + 1}"
        rate = self.optimizer.param_groups[0]["lr"]
        return TrainingError(f"the {what} is {value} in {step}: {where} (learning rate {rate:.3g})")

    def _validation_error(self, value: float) -> TrainingError:
        """Where the loss of the validation became `value`."""
        where = origin(self.model, lambda: evaluate(self.model, self.loss, self.validation))
        return TrainingError(
            f"the validation's loss is {value} after epoch {self.epoch + 1}: {where}"
        )

    def _clip(self) -> float:
        """Clip the gradients; the norm that they had before, together."""
        limit = math.inf if callable(self.clip) else self.clip
        norm: float = optim.clip_grad_norm_(self.parameters, limit).item()
        if callable(self.clip):
            self.clip(self.parameters)
        return norm


def evaluate(model: nn.Module, loss: Loss, data: Iterable[Any]) -> dict[str, float]:
    """The means of the loss and the metrics over `data`, in evaluation mode, without gradients.

    `fit` evaluates `validation` in the same way. The model's mode is restored afterwards.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.Linear(2, 1)
    >>> mse = lambda model, batch: tg.nn.mse_loss(model(batch[0]), batch[1])
    >>> zeros = np.zeros((3, 2), "f4"), model.bias.data * np.ones((3, 1), "f4")
    >>> evaluate(model, mse, [zeros])
    {'loss': 0.0}
    """
    means, was_training = Means(), model.training
    model.eval()
    try:
        with no_grad():
            for batch in data:
                means.add(measured(loss, model, batch)[1])
    finally:
        model.train(was_training)
    if not means.batches:
        raise ValueError("data gave no batch: it is empty")
    return means.values()


class Callback:
    """Base class of callbacks: `fit` calls its methods with the `Training`. Override what you need.

    A callback returns the state that it keeps between epochs from `state_dict`, as numbers,
    strings, arrays, lists and dicts, so that a resumed run continues as if it had never stopped.
    The checkpoint is written after `after_epoch`.

    >>> import tinygrad_rnn as tg
    >>> class Count(Callback):
    ...     steps = 0
    ...     def after_step(self, training):
    ...         self.steps += 1
    ...     def state_dict(self):
    ...         return {"steps": self.steps}
    ...     def load_state_dict(self, state):
    ...         self.steps = state["steps"]
    >>> count, x = Count(), tg.nn.Parameter([1.0])
    >>> _ = tg.training.fit(
    ...     tg.nn.Module(), lambda model, batch: (x * x).sum(), [0, 1, 2], epochs=2,
    ...     optimizer=tg.optim.SGD([x]), callbacks=[count], progress=False,
    ... )
    >>> count.steps
    6
    """

    def before_fit(self, training: Training) -> None:
        """Training is about to begin or to resume."""

    def around_step(self, training: Training) -> AbstractContextManager[object]:
        """A context in which the forward and the backward pass of a step run."""
        return nullcontext()

    def after_step(self, training: Training) -> None:
        """The optimiser has taken a step."""

    def after_epoch(self, training: Training) -> None:
        """An epoch is complete; its metrics are `training.metrics`."""

    def after_fit(self, training: Training) -> None:
        """All epochs are done, or a callback has stopped the training."""

    def close(self, training: Training) -> None:
        """The last call, also after an error or Ctrl-C."""

    def state_dict(self) -> dict[str, Any]:
        """The callback's state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
