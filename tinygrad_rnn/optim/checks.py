"""Checks that parameters, gradients and saved states fit together, with helpful errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.tensor import Tensor
from .settings import count

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def same_names(what: str, found: Any, expected: tuple[str, ...]) -> None:
    """Raise unless `found` is a mapping with exactly the keys `expected`."""
    if not isinstance(found, Mapping):
        raise TypeError(f"{what} is not a dict but {type(found).__name__}")
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    if missing or unexpected:
        raise ValueError(
            what
            + f" lacks {missing}" * bool(missing)
            + " and" * bool(missing and unexpected)
            + f" has {unexpected}, which is not expected" * bool(unexpected)
        )


def in_order(params: Any) -> list[Any]:
    """The parts of an iterable, as a list. TypeError for a set, whose order is not fixed."""
    if isinstance(params, set | frozenset):
        raise TypeError("parameters must come in a fixed order: pass a list, not a set")
    if hasattr(params, "parameters"):
        raise TypeError(f"give it {type(params).__name__}.parameters(), not the module itself")
    return list(params)


def label(p: Tensor, position: int) -> str:
    """The name of a parameter in errors."""
    return f"parameter {position}" + (f" ({p.name!r})" if p.name else "")


def check_parameter(p: Any, position: int) -> None:
    """Raise unless `p` is a leaf that requires a gradient."""
    if not isinstance(p, Tensor):
        raise TypeError(
            f"parameter {position} is not a Tensor but {type(p).__name__}; "
            "pass a list of Tensors, such as model.parameters(), or a list of dicts"
        )
    if p.op is not None:
        raise ValueError(
            f"{label(p, position)} is a result of {p.op.name}; only leaves can be optimised, "
            "such as tg.tensor(values, requires_grad=True)"
        )
    if not p.requires_grad:
        raise ValueError(
            f"{label(p, position)} requires no gradient, so it would never change; leave it out "
            "([p for p in params if p.requires_grad]) or call requires_grad_() on it"
        )


def check_gradient(p: Tensor, position: int, grad: Array) -> None:
    """Raise unless an update made from `grad` can be written into `p`."""
    x = p._data
    if grad.shape != x.shape:
        raise ValueError(f"{label(p, position)} has shape {x.shape}, but its gradient {grad.shape}")
    if grad.dtype != x.dtype:
        raise TypeError(
            f"{label(p, position)} has dtype {x.dtype}, but its gradient {grad.dtype}; "
            f"write p.grad = p.grad.astype({str(x.dtype)!r})"
        )
    if not x.flags.writeable:
        raise ValueError(
            f"the array of {label(p, position)} is read-only and cannot be updated; "
            "tg.tensor(array, requires_grad=True) makes a parameter with a copy"
        )


def checked_state(place: str, saved: Any, names: tuple[str, ...], like: Array) -> dict[str, Any]:
    """A copy of a parameter's saved state, if it has exactly the buffers `names`."""
    same_names(place, saved, ("step", *names))
    state: dict[str, Any] = {"step": count(f"{place}: step", saved["step"])}
    for name in names:
        buffer = saved[name]
        if not isinstance(buffer, np.ndarray):
            raise TypeError(f"{place}: {name} is not an ndarray but {type(buffer).__name__}")
        if (buffer.shape, buffer.dtype) != (like.shape, like.dtype):
            raise ValueError(
                f"{place}: {name} is {buffer.dtype} of shape {buffer.shape}, "
                f"the parameter {like.dtype} of shape {like.shape}"
            )
        state[name] = buffer.copy()
    return state
