"""Running a model so that every step is recorded, and the scalar that is differentiated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...engine.recording.mode import ModeChange, current_mode
from ...engine.tensor import Tensor

__all__ = ["run_unrolled", "scalar_of"]


def run_unrolled(model: Callable[..., Any], x: Any) -> Any:
    """`model(x)`, with every scan in it run op by op, as scans do while ops are observed.

    TypeError for a model that cannot be called.
    """
    if not callable(model):
        raise TypeError(f"the model comes first, then its input x; {type(model).__name__} is none")
    with ModeChange(watch=current_mode().watch or _Onlooker()):
        return model(x)


class _Onlooker:
    """An observer of every op that does nothing."""

    def forward(self, *of: Any) -> None:
        """Called by each op with its outputs."""

    def backward(self, *of: Any) -> None:
        """Called with the gradient for one input of a node."""


def scalar_of(result: Any, loss: Callable[[Any], Tensor] | None) -> Tensor:
    """The loss of what the model returned; without one, the sum of its final state (or output).

    Of a list of states, as `nn.Recurrent` returns them, it is the sum over all layers and
    directions.
    """
    if loss is not None:
        return loss(result)
    final = result
    if not isinstance(result, Tensor):
        final = list(result.values() if isinstance(result, dict) else result)[-1]
    states = final if isinstance(final, list) else [final]
    first, *others = (_first(state).sum() for state in states)
    return sum(others, start=first)


def _first(nest: Any) -> Tensor:
    """The first tensor in a nest of tuples, lists and dicts."""
    while not isinstance(nest, Tensor):
        nest = next(iter(nest.values() if isinstance(nest, dict) else nest))
    return nest
