"""The ops in JAX: `jax.numpy` has NumPy's functions under NumPy's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["ops"]

Value = Any


def ops() -> dict[str, Callable[..., Value]]:
    """The table, by the names of the ops."""
    import jax
    import jax.numpy as jnp

    def like(fill: Callable[..., Value]) -> Callable[..., Value]:
        return lambda x, dtype=None, shape=None: fill(x, dtype=dtype, shape=shape)

    def index_update(x: Value, values: Value, *arrays: Value, template: Any, add: bool) -> Value:
        place = x.at[_key(template, arrays)]
        return place.add(values) if add else place.set(values)

    def split(x: Value, *, places: Sequence[int], axis: int) -> Sequence[Value]:
        return jnp.split(x, list(places), axis)

    def unstack(x: Value, *, axis: int) -> Sequence[Value]:
        return list(jnp.moveaxis(x, axis, 0))

    def pad(x: Value, *, widths: Any) -> Value:
        lead = [(0, 0)] * (x.ndim - len(widths))
        return jnp.pad(x, [*lead, *widths])

    def einsum(*operands: Value, subscripts: str) -> Value:
        return jnp.einsum(subscripts, *operands)

    def one_hot(indices: Value, num_classes: int) -> Value:
        return jax.nn.one_hot(indices, num_classes, dtype=int)

    def iota(*, start: Any, step: Any, count: int, dtype: Any) -> Value:
        return start + step * jnp.arange(count)  # cast to its dtype like every result

    same_name = (
        "argsort cumsum expand_dims flip matmul max mean min reshape squeeze sum transpose where"
    )
    return {
        **{name: getattr(jnp, name) for name in same_name.split()},
        "argmax": _of_one_axis(jnp.argmax),
        "argmin": _of_one_axis(jnp.argmin),
        "astype": lambda x, dtype: x,  # the result of each op is cast to its dtype
        "broadcast_to": lambda x, shape: jnp.broadcast_to(x, shape),
        "concatenate": lambda *arrays, axis: jnp.concatenate(arrays, axis),
        "dimension": lambda size, dtype: jnp.asarray(size),
        "einsum": einsum,
        "getitem": lambda x, *arrays, template: x[_key(template, arrays)],
        "index_update": index_update,
        "iota": iota,
        "log_softmax": jax.nn.log_softmax,
        "logsumexp": jax.nn.logsumexp,
        "one_hot": one_hot,
        "ones_like": like(jnp.ones_like),
        "pad": pad,
        "softmax": jax.nn.softmax,
        "split": split,
        "stack": lambda *arrays, axis: jnp.stack(arrays, axis),
        "stop_gradient": jax.lax.stop_gradient,
        "unstack": unstack,
        "zeros_like": like(jnp.zeros_like),
    }


def _key(template: Any, arrays: Sequence[Value]) -> tuple[Any, ...]:
    """An index with its arrays put back in their places."""
    rest: Iterator[Value] = iter(arrays)
    basic = (int, slice, type(None), type(...), bool)
    return tuple(part if isinstance(part, basic) else next(rest) for part in template)


def _of_one_axis(function: Callable[..., Value]) -> Callable[..., Value]:
    return lambda x, axis, keepdims: function(
        x, axis=None if isinstance(axis, tuple) else axis, keepdims=keepdims
    )
