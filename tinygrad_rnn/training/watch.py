"""Where a loss or a gradient became infinite or NaN."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import nn
from ..engine.recording.anomaly import detect_anomaly
from ..errors import AnomalyError, TinygradRnnError

__all__ = ["TrainingError", "origin"]


class TrainingError(TinygradRnnError):
    """Training cannot continue, because the loss or its gradient is infinite or NaN.

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


def origin(model: nn.Module, again: Callable[[], object]) -> str:
    """A description of where the first non-finite value comes from: a parameter, or an op.

    `again` repeats the computation that went wrong. This is slow, because every op is watched. The
    error of `tg.detect_anomaly` names the op, the module, the time step and the user's line.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Linear(1, 1)
    >>> origin(layer, lambda: tg.log(layer(tg.zeros(1)) * 0.0)).partition(" at ")[0]
    'the result of log has the first Inf or NaN: -inf'
    """
    for name, parameter in model.named_parameters():
        if not np.isfinite(parameter.data).all():
            return f"parameter {name!r} was no longer finite before it"
    try:
        with detect_anomaly(), np.errstate(all="ignore"):
            again()
    except AnomalyError as error:
        return str(error)
    return "it did not occur again when the step was repeated op by op"
