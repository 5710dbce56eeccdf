"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .optimizer import Group, Optimizer, State, average, with_l2
from .settings import Check, flag, fraction, non_negative

if TYPE_CHECKING:
    from ..engine.tensor import Tensor
    from .optimizer import Array

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Gradients divided by their running root mean square; as `torch.optim.RMSprop`.

    With gradient g (plus `weight_decay` x), all elementwise:

        s_t = alpha s_{t-1} + (1 - alpha) g_t^2
        x_t = x_{t-1} - lr g_t / (sqrt(s_t) + eps)

    `centered` uses the variance s_t - m_t^2 in place of s_t, where m_t is the running mean of g.
    With `momentum` mu, v_t = mu v_{t-1} + g_t / (sqrt(s_t) + eps) is the step in place of the
    quotient alone. Tieleman & Hinton, "Lecture 6.5: rmsprop" (2012); centered: Graves, "Generating
    sequences with recurrent neural networks" (2013), equations 38-45.

    Where rounding makes the variance negative it counts as 0; PyTorch's result is NaN there.

    ValueError if a setting is negative or `alpha` is not below 1; more errors in `Optimizer`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> x = tg.tensor([2.0, -200.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> optim.RMSprop([x], lr=0.5, alpha=0.75).step()
    >>> x
    tensor([   1., -199.], dtype=float32, requires_grad=True)
    """

    settings: ClassVar[Mapping[str, Check]] = {
        **Optimizer.settings,
        "alpha": fraction,
        "eps": non_negative,
        "weight_decay": non_negative,
        "momentum": non_negative,
        "centered": flag,
    }

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def buffers(self, group: Group) -> tuple[str, ...]:
        """See `Optimizer.buffers`."""
        names = ["square_avg"]
        if group["momentum"]:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        return tuple(names)

    def update(self, x: Array, grad: Array, state: State, group: Group) -> Array:
        """See `Optimizer.update`."""
        lr, alpha, momentum = group["lr"], group["alpha"], group["momentum"]
        grad = with_l2(grad, x, group["weight_decay"])
        square = state["square_avg"]
        average(square, grad * grad, alpha)
        if group["centered"]:
            mean = state["grad_avg"]
            average(mean, grad, alpha)
            square = np.maximum(square - mean * mean, 0.0)
        quotient = np.sqrt(square)
        quotient += group["eps"]
        quotient = grad / quotient
        if momentum:
            velocity = state["momentum_buffer"]
            velocity *= momentum
            velocity += quotient
            return lr * velocity  # type: ignore[no-any-return]
        quotient *= lr
        return quotient  # type: ignore[no-any-return]
