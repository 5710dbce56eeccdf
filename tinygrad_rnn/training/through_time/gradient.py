"""What each of the functions here takes and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from ...engine.tensor import Tensor

__all__ = ["Array", "Loss", "TimeGradient", "check_in_order"]

Array: TypeAlias = Any
Loss: TypeAlias = Callable[[Tensor, slice], Tensor]


class TimeGradient(NamedTuple):
    """The gradients of a layer's parameters, in their order, and the loss.

    `dropped`: how much of the gradient is left where truncation cuts it: the norm of the state's
    gradient there, as a share of its largest norm inside the window; root mean square over windows.

    >>> TimeGradient(0.5, []).dropped
    0.0
    """

    loss: float
    gradients: list[Array]
    dropped: float = 0.0


def check_in_order(layer: Any) -> None:
    """ValueError if the layer does not take the steps in order, each from the state before."""
    for option in ("bidirectional", "reverse"):
        if getattr(layer, option, False):
            raise ValueError(
                f"the steps are taken one after the other, but the {type(layer).__name__} has "
                f"{option}=True: use bptt, which runs the whole sequence at once"
            )
