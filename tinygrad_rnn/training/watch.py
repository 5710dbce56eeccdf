"""Where a loss or a gradient became infinite or NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.anomaly import detect_anomaly
from ..errors import AnomalyError, TinygradRnnError
from ..ops import generator
from .means import measured

if TYPE_CHECKING:
    from .loop import Training

__all__ = ["TrainingError", "first_nonfinite"]


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
    rate = training.optimizer.param_groups[0]["lr"]
    return f"{here}: {_origin(training, batch, drawn)} (learning rate {rate:.3g})"


def _origin(training: Training, batch: Any, drawn: Any) -> str:
    for name, parameter in training.model.named_parameters():
        if not np.isfinite(parameter.data).all():
            return f"parameter {name!r} was no longer finite before it"
    training.optimizer.zero_grad()
    after = generator().bit_generator.state
    generator().bit_generator.state = drawn
    try:
        with detect_anomaly(), np.errstate(all="ignore"):
            measured(training.loss, training.model, batch)[0].backward()
    except AnomalyError as error:
        return str(error)
    finally:
        generator().bit_generator.state = after
        training.optimizer.zero_grad()
    return "it did not come again when the step was repeated, op by op"
