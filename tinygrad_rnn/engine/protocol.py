"""What NumPy's functions mean for Tensors: one table, filled by `ops`, read by everyone.

`np.tanh(t)`, `t.sum()` and `t * u` all end in a look-up here. A function that is not in the
table has no differentiable rule, and saying so is better than dropping the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["FUNCTIONS", "implementation", "implements"]

F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[Callable[..., Any] | str, Callable[..., Any]] = {}
"""NumPy function (or, where NumPy has none, a name) -> our function that answers for it."""

_INSTEAD = {
    "linalg.inv": "a solver outside the graph",
    "percentile": "`np.sort` and the elements at their places",
}


def implements(*numpy_functions: Callable[..., Any] | str) -> Callable[[F], F]:
    """Decorator: let the decorated function or op answer when NumPy's is called with a Tensor.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> @tg.implements(np.cbrt)
    ... @tg.op
    ... def cbrt(x):
    ...     return np.cbrt(x)
    >>> _ = cbrt.vjp(lambda grad, out, x: grad / (3 * out * out))
    >>> x = tg.tensor(8.0, requires_grad=True)
    >>> np.cbrt(x).backward()
    >>> x.grad
    tensor(0.08333334, dtype=float32)
    """

    def register(ours: F) -> F:
        for function in numpy_functions:
            FUNCTIONS[function] = ours
        return ours

    return register


def implementation(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that answers for NumPy's `function`; TypeError if there is none."""
    try:
        return FUNCTIONS[function]
    except KeyError:
        raise TypeError(_no_rule(function)) from None


def _no_rule(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    name = f"{module}.{function.__name__}".removeprefix("numpy.")
    instead = _INSTEAD.get(name) or _INSTEAD.get(function.__name__)
    advice = f"Use {instead}" if instead else "Declare it as an op (`@tg.op` and its `vjp`)"
    return (
        f"np.{name} has no differentiable rule for Tensors, and applying it to the bare array "
        f"would drop the graph. {advice}, or call it on `t.detach().numpy()` where no gradient "
        f"is wanted."
    )
