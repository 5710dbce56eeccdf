"""Gradient clipping: against the exploding gradients of long sequences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.recording.mode import no_grad
from ..engine.tensor import Tensor
from .checks import label
from .settings import limit

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that their total norm is at most `max_norm`.

    As `torch.nn.utils.clip_grad_norm_`: the norm of order `norm_type` (`math.inf`: the largest
    element) is taken over all gradients as one vector, and they are multiplied by
    `max_norm / (norm + 1e-6)` if that is below 1. Returns the norm as it was before: a 0-d Tensor
    of the gradients' dtype, 0 if there is no gradient. `max_norm=math.inf` only measures. The sum
    is taken in float64, so float32 gradients up to 1e38 have a norm too.

    Pascanu et al., "On the difficulty of training recurrent neural networks" (ICML 2013),
    algorithm 1.

    ValueError if `parameters` is empty, `max_norm` is negative or NaN, or `norm_type` is not
    positive; RuntimeError if the norm is NaN or infinite and `error_if_nonfinite`. In each case
    nothing is changed. Without `error_if_nonfinite` a NaN norm makes all gradients NaN; an infinite
    one makes finite gradients 0 and infinite ones NaN.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> x = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> (0.5 * x * x).sum().backward()
    >>> optim.clip_grad_norm_([x], max_norm=1.0)
    tensor(5., dtype=float32)
    >>> np.round(x.grad.data, 5)
    array([0.6, 0.8], dtype=float32)
    """
    max_norm, norm_type = limit("max_norm", max_norm), limit("norm_type", norm_type)
    if not norm_type:
        raise ValueError("norm_type must be positive, such as 2.0 or math.inf")
    grads = _gradients(parameters)
    if not grads:
        return Tensor(0.0)
    with no_grad(), np.errstate(all="ignore"):
        norm = _norm(np.array([_norm(grad._data, norm_type) for grad in grads]), norm_type)
        if error_if_nonfinite and not math.isfinite(norm):
            raise RuntimeError(
                f"the norm of the gradients is {norm}; tg.detect_anomaly() finds the op that made "
                "it so. Pass error_if_nonfinite=False to clip nevertheless."
            )
        scale = max_norm / (norm + 1e-6)
        if not scale >= 1.0:
            for grad in grads:
                grad *= scale
        return Tensor(np.asarray(norm, dtype=grads[0].dtype))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients, in place, to [-`clip_value`, `clip_value`].

    As `torch.nn.utils.clip_grad_value_`. NaN stays NaN. ValueError if `parameters` is empty or
    `clip_value` is negative or NaN.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> x = tg.tensor([0.25, -3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> optim.clip_grad_value_([x], 1.0)
    >>> x.grad
    tensor([ 0.5, -1. ], dtype=float32)
    """
    clip_value = limit("clip_value", clip_value)
    with no_grad():
        for grad in _gradients(parameters):
            grad[...] = np.clip(grad._data, -clip_value, clip_value)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients there are, each once, all of them fit to be written into."""
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not parameters:
        raise ValueError("no parameters to clip: an empty list, or a generator that is used up?")
    grads: dict[int, Tensor] = {}
    for position, p in enumerate(parameters):
        if not isinstance(p, Tensor):
            raise TypeError(f"parameter {position} is not a Tensor but {type(p).__name__}")
        if p.grad is None:
            continue
        if p.grad.dtype.kind != "f":
            raise TypeError(f"the gradient of {label(p, position)} is {p.grad.dtype}, not floating")
        if not p.grad._data.flags.writeable:
            raise ValueError(
                f"the gradient of {label(p, position)} is read-only and cannot be changed in "
                "place; write p.grad = p.grad.copy()"
            )
        grads[id(p.grad)] = p.grad
    return list(grads.values())


def _norm(values: Any, order: float) -> float:
    if not values.size:
        return 0.0
    return float(np.linalg.norm(values.ravel(order="K").astype(np.float64), order))
