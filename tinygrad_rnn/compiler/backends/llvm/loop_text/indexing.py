"""Indexed: which elements x[key] selects, if the key has arrays whose content a loop computes.

NumPy's rules: the arrays and integers of a key are broadcast together; the selected axes replace
the indexed ones if these are adjacent, and come first otherwise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Indexed", "Pick", "indexed"]

Array = Any


class Pick(NamedTuple):
    """A place along an axis that is read at each element: an array of them, and the axis."""

    places: Any  # the array of the loop that holds them
    array: Array  # where they are in it, in the shape of the result
    size: int  # of the axis
    number: int  # of the axis
    stride: int  # from one place to the next, in elements


class Indexed(NamedTuple):
    """x[key]: `base` shows the elements for indices that are all 0, in the shape of the result."""

    base: Array
    picks: list[Pick]


def indexed(x: Array, key: tuple[Any, ...]) -> Indexed:
    """The elements that a key selects. Arrays of the loop in the key have an `array`."""
    parts = _parts(key, x.ndim)
    arrays = {k: part for k, part in enumerate(parts) if hasattr(part, "array")}
    if not arrays:
        return Indexed(x[(*parts, ...)], [])
    fixed = {k for k, part in enumerate(parts) if _picks(part) and k not in arrays}
    view = x[tuple(slice(None) if k in arrays or k in fixed else p for k, p in enumerate(parts))]
    picked = sorted([*arrays, *fixed])
    shape = np.broadcast_shapes(*(part.shape for part in arrays.values()))
    where = [k for k, part in enumerate(key) if _picks(part)]
    together = where[-1] - where[0] + 1 == len(where)  # an ... for no axes in between counts, too
    rest = [n for k, n in enumerate(view.shape) if k not in picked]
    lead = picked[0] if together else 0
    whole = (*rest[:lead], *shape, *rest[lead:])
    if 0 in whole:
        return Indexed(np.zeros(whole, x.dtype), [])
    if any(not view.shape[k] for k in arrays):
        raise NotImplementedError("a place along an axis that has none")
    first = [
        parts[k] if k in fixed else 0 if k in arrays else slice(None) for k in range(view.ndim)
    ]
    base = view[(*first, ...)]
    base = base[(*(slice(None),) * lead, *(None,) * len(shape), ...)]
    behind = (None,) * (len(rest) - lead)
    numbers = np.cumsum([part is not None for part in parts]) - 1
    picks = [
        Pick(
            part,
            np.broadcast_to(np.broadcast_to(part.array, shape)[(..., *behind)], whole),
            view.shape[k],
            int(numbers[k]),
            view.strides[k] // view.itemsize,
        )
        for k, part in arrays.items()
    ]
    return Indexed(np.broadcast_to(base, whole), picks)


def _picks(part: Any) -> bool:
    """Whether it is an array or an integer, which NumPy broadcasts together."""
    return hasattr(part, "array") or isinstance(part, int | np.integer)


def _parts(key: tuple[Any, ...], ndim: int) -> list[Any]:
    """The key with a part for each axis, and None for each new one."""
    taken = sum(part is not None and part is not Ellipsis for part in key)
    gap = [slice(None)] * (ndim - taken)
    at = next((k for k, part in enumerate(key) if part is Ellipsis), len(key))
    return [*key[:at], *gap, *key[at + 1 :]]
