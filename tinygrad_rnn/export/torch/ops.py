"""Ufuncs and ops in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["UFUNCS", "ops"]

Value = Any

UFUNCS = {
    "absolute": "abs",
    "conjugate": "conj",
    "degrees": "rad2deg",
    "equal": "eq",
    "fabs": "abs",
    "invert": "bitwise_not",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "radians": "deg2rad",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
}
"""The ufuncs that have another name in PyTorch; all others have NumPy's."""


def ops() -> dict[str, Callable[..., Value]]:
    """The table, by the names of the ops."""
    import torch

    F = torch.nn.functional

    def like(fill: Callable[..., Value]) -> Callable[..., Value]:
        return lambda x, dtype=None, shape=None: (
            fill(x) if shape is None else fill(x.new_empty(shape))
        )

    def reduced(function: Callable[..., Value]) -> Callable[..., Value]:
        return lambda x, axis, keepdims: function(x, dim=axis, keepdim=keepdims)

    def of_one_axis(function: Callable[..., Value]) -> Callable[..., Value]:
        return lambda x, axis, keepdims: function(
            x, dim=None if isinstance(axis, tuple) else axis, keepdim=keepdims
        )

    def exponentials(x: Value, axis: Any) -> Value:
        return torch.exp(x - torch.amax(x, axis, keepdim=True))

    def softmax(x: Value, *, axis: Any) -> Value:
        powers = exponentials(x, axis)
        return powers / torch.sum(powers, axis, keepdim=True)

    def log_softmax(x: Value, *, axis: Any) -> Value:
        return x - torch.logsumexp(x, axis, keepdim=True)

    def index_update(x: Value, values: Value, *arrays: Value, template: Any, add: bool) -> Value:
        places = torch.arange(x.numel(), device=x.device).reshape(x.shape)
        places = _indexed(places, template, arrays)
        rows, values = places.reshape(-1), values.expand(places.shape).reshape(-1)
        flat = x.reshape(-1)
        flat = flat.index_add(0, rows, values) if add else flat.index_put((rows,), values)
        return flat.reshape(x.shape)

    def expand_dims(x: Value, *, axis: Any) -> Value:
        axes = axis if isinstance(axis, tuple) else (axis,)
        for place in sorted(a + x.ndim + len(axes) for a in axes):
            x = x.unsqueeze(place)
        return x

    def flip(x: Value, *, axis: Any) -> Value:
        return torch.flip(x, axis if isinstance(axis, tuple) else (axis,))

    def pad(x: Value, *, widths: Any) -> Value:
        ends = [end for pair in reversed(widths) for end in pair]
        return F.pad(x, ends)

    def drawn(draw: Callable[..., Value]) -> Callable[..., Value]:
        def like(x: Value, generator: Any = None) -> Value:
            dtype = x.dtype if x.is_floating_point() else None
            return draw(x.shape, dtype=dtype, device=x.device)

        return like

    def iota(*, start: Any, step: Any, count: int, dtype: Any) -> Value:
        return start + step * torch.arange(count)

    return {
        "argmax": of_one_axis(torch.argmax),
        "argmin": of_one_axis(torch.argmin),
        "argsort": lambda x, axis: torch.argsort(x, dim=axis, stable=True),
        "astype": lambda x, dtype: x,  # the result of each op is cast to its dtype
        "broadcast_to": lambda x, shape: torch.broadcast_to(x, shape),
        "concatenate": lambda *arrays, axis: torch.cat(arrays, axis),
        "cumsum": lambda x, axis: torch.cumsum(x, axis),
        "dimension": lambda size, dtype: torch.tensor(size),
        "einsum": lambda *operands, subscripts: torch.einsum(subscripts, *operands),
        "expand_dims": expand_dims,
        "flip": flip,
        "getitem": lambda x, *arrays, template: _indexed(x, template, arrays),
        "index_update": index_update,
        "iota": iota,
        "log_softmax": log_softmax,
        "logsumexp": reduced(torch.logsumexp),
        "matmul": torch.matmul,
        "max": reduced(torch.amax),
        "mean": reduced(torch.mean),
        "min": reduced(torch.amin),
        "one_hot": lambda indices, num_classes: F.one_hot(indices.long(), num_classes),
        "ones_like": like(torch.ones_like),
        "pad": pad,
        "rand_like": drawn(torch.rand),
        "randn_like": drawn(torch.randn),
        "reshape": lambda x, shape: torch.reshape(x, _shape(shape)),
        "softmax": softmax,
        "split": lambda x, places, axis: torch.tensor_split(x, places, dim=axis),
        "squeeze": lambda x, axis: torch.squeeze(x, axis),
        "stack": lambda *arrays, axis: torch.stack(arrays, axis),
        "stop_gradient": lambda x: x.detach(),
        "sum": reduced(torch.sum),
        "transpose": lambda x, axes: torch.permute(x, axes),
        "unstack": lambda x, axis: torch.unbind(x, axis),
        "where": torch.where,
        "zeros_like": like(torch.zeros_like),
    }


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _indexed(x: Value, template: Any, arrays: Sequence[Value]) -> Value:
    """`x[key]`; PyTorch has no negative steps, so those slice the reversed axis."""
    rest: Iterator[Value] = iter(arrays)
    basic = (int, slice, type(None), type(...), bool)
    key: list[Any] = [p if isinstance(p, basic) else next(rest) for p in template]
    key = [part.long() if _is_index(part) else part for part in key]
    at = _axes_of(key, x.ndim)
    for place, part in enumerate(key):
        if isinstance(part, slice) and (part.step or 1) < 0:
            size = x.shape[at[place]]
            start, stop, step = part.indices(size)
            x = x.flip(at[place])
            key[place] = slice(size - 1 - start, size - 1 - stop, -step)
    return x[tuple(key)]


def _is_index(part: Any) -> bool:
    return (
        hasattr(part, "long")
        and not part.dtype.is_floating_point
        and str(part.dtype) != ("torch.bool")
    )


def _axes_of(key: Sequence[Any], ndim: int) -> dict[int, int]:
    """The axis that each part of a key is for."""
    found, axis = {}, 0
    consumed = sum(part is not None and part is not ... for part in key)
    for place, part in enumerate(key):
        found[place] = axis
        if part is ...:
            axis += ndim - consumed
        elif part is not None:
            axis += 1
    return found
