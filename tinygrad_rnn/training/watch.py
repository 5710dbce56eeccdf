"""Where a loss or a gradient became infinite or NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.anomaly import detect_anomaly
from ..engine.mode import no_grad
from ..errors import AnomalyError, TinygradRnnError
from ..ops import generator
from .means import measured

if TYPE_CHECKING:
    from .loop import Training

__all__ = ["TrainingError", "first_nonfinite", "nonfinite_validation"]


class TrainingError(TinygradRnnError):
    """Training that cannot go on, because the loss or its gradient is no number any more.

    >>> import tinygrad_rnn as tg
    >>> x = tg.nn.Parameter([0.0])
    >>> try:
    ...     tg.training.fit(
    ...         tg.nn.Module(), lambda model, batch: tg.log(x).sum(), [0], epochs=1,
    ...         optimizer=tg.optim.SGD([x]), progress=False,
    ...     )
    ... except TrainingError as error:
    ...     print(str(error).split(" at ")[0])
    the loss is -inf in epoch 1, step 1: the result of log has the first Inf or NaN: -inf
    """


def first_nonfinite(training: Training, batch: Any, what: str, value: float, drawn: Any) -> str:
    """One line: in which step `what` became `value`, and in which layer that began.

    The step is made once more, slowly, with every op watched; `drawn` is the state that the
    generator had before it. Gradients are forgotten, weights not touched.
    """
    here = f"the {what} is {value} in epoch {training.epoch + 1}, step {training.means.batches + 1}"

    def again() -> None:
        training.optimizer.zero_grad()
        measured(training.loss, training.model, batch)[0].backward()

    after = generator().bit_generator.state
    generator().bit_generator.state = drawn
    try:
        return f"{here}: {_origin(training, again)} ({_rate(training)})"
    finally:
        generator().bit_generator.state = after
        training.optimizer.zero_grad()


def nonfinite_validation(training: Training, value: float) -> str:
    """One line: in which layer the loss of the validation became `value`."""

    def again() -> None:
        for batch in training.validation:
            measured(training.loss, training.model, batch)

    training.model.eval()
    with no_grad():
        origin = _origin(training, again)
    training.model.train()
    here = f"the validation's loss is {value} after epoch {training.epoch + 1}"
    return f"{here}: {origin} ({_rate(training)})"


def _origin(training: Training, again: Callable[[], None]) -> str:
    """What `again` computes that is not finite."""
    for name, parameter in training.model.named_parameters():
        if not np.isfinite(parameter.data).all():
            return f"parameter {name!r} was no longer finite before it"
    try:
        with detect_anomaly(), np.errstate(all="ignore"):
            again()
    except AnomalyError as error:
        return str(error)
    return "it did not come again when that was repeated, op by op"


def _rate(training: Training) -> str:
    return f"learning rate {training.optimizer.param_groups[0]['lr']:.3g}"
