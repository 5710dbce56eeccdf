"""What NumPy's functions mean for Tensors: one table, filled by `ops`, read by everyone.

`np.tanh(t)`, `t.sum()` and `t * u` all end in a look-up here. A function that is not in the
table has no differentiable rule, and saying so is better than dropping the graph.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

__all__ = ["FUNCTIONS", "implementation", "implements", "numpy_call"]

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


def numpy_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `function(*args, **kwargs)` of NumPy is for Tensors.

    The arguments are read in NumPy's order and by its names, whatever those of ours are. TypeError
    for an option that ours does not have, unless it has its default value.
    """
    ours = implementation(function)
    plan = _plan(function, ours)
    if plan is None or (len(args) <= len(plan.inputs) and kwargs.keys() <= plan.options.keys()):
        return ours(*args, **kwargs)
    given = plan.signature.bind(*args, **kwargs).arguments
    given |= given.pop(plan.rest, {})
    inputs = [given.pop(name) for name in plan.inputs if name in given]
    options = {}
    for name, value in given.items():
        theirs = plan.signature.parameters.get(name)
        default = None if theirs is None else theirs.default
        if (ours_name := _OTHER_NAMES.get(name, name)) in plan.options:
            if value is not np._NoValue:
                options[ours_name] = value
        elif value is not default and not (isinstance(value, str | bool) and value == default):
            raise TypeError(
                f"np.{function.__name__} of a Tensor has no {name}= (here {value!r:.40}); it takes "
                f"{', '.join(f'{option}=' for option in plan.options) or 'no options'}"
                f"{_ADVICE.get(name, '').format(function.__name__)}"
            )
    return ours(*inputs, **options)


_ADVICE = {
    "dtype": "; cast x first, np.{}(x.astype(...))",
    "where": "; mask x first, np.{}(np.where(where, x, fill)), with a fill that changes nothing",
    "out": "; assign the result instead",
}
"""How to do without an option of NumPy's."""

_OTHER_NAMES = {"a_min": "min", "a_max": "max", "newshape": "shape"}
"""NumPy has two names for these options; the last is that of NumPy 2.0."""


class _Plan(NamedTuple):
    """How arguments of a NumPy function become those of ours.

    `inputs`: NumPy's names of those that ours needs, in order. `options`: our names of the others.
    """

    signature: inspect.Signature
    inputs: list[str]
    options: dict[str, None]
    rest: str  # the name of its **kwargs, if it has any


@cache
def _plan(function: Callable[..., Any], ours: Callable[..., Any]) -> _Plan | None:
    """None where NumPy's function tells no signature, or takes any number of inputs."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return None
    theirs = list(signature.parameters.values())
    if theirs[0].kind is theirs[0].VAR_POSITIONAL:
        return None
    mine = [
        p for p in inspect.signature(ours).parameters.values() if p.kind is not p.VAR_POSITIONAL
    ]
    needed = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in mine)
    names = [p.name for p in theirs if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in theirs if p.kind is p.VAR_KEYWORD), "")
    return _Plan(signature, names[:needed], dict.fromkeys(p.name for p in mine[needed:]), rest)


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
