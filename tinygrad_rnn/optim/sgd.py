"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .optimizer import Group, Optimizer, State, with_l2
from .settings import Check, flag, non_negative

if TYPE_CHECKING:
    from ..engine.tensor import Tensor
    from .optimizer import Array

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Gradient descent with momentum, optionally Nesterov's; as `torch.optim.SGD`.

    With gradient g (plus `weight_decay` x) and `momentum` mu:

        v_1 = g_1
        v_t = mu v_{t-1} + (1 - dampening) g_t
        x_t = x_{t-1} - lr v_t                  (Nesterov: lr (g_t + mu v_t))

    Momentum: Polyak, "Some methods of speeding up the convergence of iteration methods" (1964).
    Nesterov's form, and this way to write it: Sutskever et al., "On the importance of
    initialization and momentum in deep learning" (ICML 2013).

    ValueError if a setting is negative, or if `nesterov` comes without momentum or with
    dampening; more errors in `Optimizer`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> x = tg.tensor([2.0], requires_grad=True)
    >>> optimizer = optim.SGD([x], lr=0.25, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x * x).sum().backward()
    ...     optimizer.step()
    >>> x
    tensor([0.], dtype=float32, requires_grad=True)
    """

    settings: ClassVar[Mapping[str, Check]] = {
        **Optimizer.settings,
        "momentum": non_negative,
        "dampening": non_negative,
        "weight_decay": non_negative,
        "nesterov": flag,
    }

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def checked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """See `Optimizer.checked`."""
        found = super().checked(settings)
        if found["nesterov"] and (not found["momentum"] or found["dampening"]):
            raise ValueError(
                "nesterov needs momentum > 0 and dampening = 0, "
                f"not momentum={found['momentum']}, dampening={found['dampening']}"
            )
        return found

    def buffers(self, group: Group) -> tuple[str, ...]:
        """See `Optimizer.buffers`."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, x: Array, grad: Array, state: State, group: Group) -> Array:
        """See `Optimizer.update`."""
        lr, momentum = group["lr"], group["momentum"]
        grad = with_l2(grad, x, group["weight_decay"])
        if not momentum:
            return lr * grad  # type: ignore[no-any-return]
        velocity = state["momentum_buffer"]
        velocity *= momentum
        velocity += grad if state["step"] == 1 else (1.0 - group["dampening"]) * grad
        if group["nesterov"]:
            return lr * (grad + momentum * velocity)  # type: ignore[no-any-return]
        return lr * velocity  # type: ignore[no-any-return]
