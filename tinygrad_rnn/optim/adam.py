"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .optimizer import Group, Optimizer, State, average, with_l2
from .settings import Check, flag, non_negative, two_fractions

if TYPE_CHECKING:
    from ..engine.tensor import Tensor
    from .optimizer import Array

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps from running estimates of the gradient's first two moments; as `torch.optim.Adam`.

    With gradient g (plus `weight_decay` x) and `betas` b1, b2, all elementwise:

        m_t = b1 m_{t-1} + (1 - b1) g_t
        v_t = b2 v_{t-1} + (1 - b2) g_t^2
        x_t = x_{t-1} - lr m_t / (1 - b1^t) / (sqrt(v_t / (1 - b2^t)) + eps)

    Kingma & Ba, "Adam: a method for stochastic optimization" (ICLR 2015), algorithm 1. `amsgrad`
    takes the largest v so far in place of v_t: Reddi et al., "On the convergence of Adam and
    beyond" (ICLR 2018), algorithm 2.

    ValueError if a setting is negative or one of `betas` is not below 1; more in `Optimizer`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> x = tg.tensor([2.0, -200.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> optim.Adam([x], lr=0.5).step()
    >>> x
    tensor([   1.5, -199.5], dtype=float32, requires_grad=True)
    """

    settings: ClassVar[Mapping[str, Check]] = {
        **Optimizer.settings,
        "betas": two_fractions,
        "eps": non_negative,
        "weight_decay": non_negative,
        "amsgrad": flag,
    }

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def buffers(self, group: Group) -> tuple[str, ...]:
        """See `Optimizer.buffers`."""
        moments = ("exp_avg", "exp_avg_sq")
        return (*moments, "max_exp_avg_sq") if group["amsgrad"] else moments

    def update(self, x: Array, grad: Array, state: State, group: Group) -> Array:
        """See `Optimizer.update`."""
        return _moment_step(with_l2(grad, x, group["weight_decay"]), state, group)


class AdamW(Adam):
    """Adam with weight decay decoupled from the gradient; as `torch.optim.AdamW`.

    The moments are those of the gradient alone; the step of `Adam` is followed by

        x_t = x_t - lr weight_decay x_{t-1}

    Loshchilov & Hutter, "Decoupled weight decay regularization" (ICLR 2019), algorithm 2.
    Settings and errors as for `Adam`; `weight_decay` is 0.01 unless given.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> x = tg.tensor([2.0, -200.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> optim.AdamW([x], lr=0.5, weight_decay=0.25).step()
    >>> x
    tensor([   1.25, -174.5 ], dtype=float32, requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update(self, x: Array, grad: Array, state: State, group: Group) -> Array:
        """See `Optimizer.update`."""
        step = _moment_step(grad, state, group)
        if group["weight_decay"]:
            step += (group["lr"] * group["weight_decay"]) * x
        return step


def _moment_step(grad: Array, state: State, group: Group) -> Array:
    """The step that both take: the first moment over the root of the second, unbiased."""
    (b1, b2), t = group["betas"], state["step"]
    m, v = state["exp_avg"], state["exp_avg_sq"]
    average(m, grad, b1)
    average(v, grad * grad, b2)
    if group["amsgrad"]:
        v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
    root = np.sqrt(v)
    root /= (1.0 - b2**t) ** 0.5
    root += group["eps"]
    step = m / root
    step *= group["lr"] / (1.0 - b1**t)
    return step  # type: ignore[no-any-return]
