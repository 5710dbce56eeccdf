"""States are nests: tuples, named tuples, lists and dicts of Tensors, of any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["leaves", "like", "map_leaves"]


def leaves(nest: Any) -> list[Any]:
    """The Tensors of a nest, from left to right; dicts in the order of their insertion.

    >>> leaves((1, {"a": 2, "b": (3,)}))
    [1, 2, 3]
    """
    found: list[Any] = []
    for child in _children(nest):
        if child is nest:
            return [nest]
        found.extend(leaves(child))
    return found


def like(nest: Any, new_leaves: Iterator[Any]) -> Any:
    """A nest of the same structure with other leaves.

    >>> like((1, {"a": 2}), iter("xy"))
    ('x', {'a': 'y'})
    """
    if isinstance(nest, dict):
        return {key: like(value, new_leaves) for key, value in nest.items()}
    if isinstance(nest, tuple | list):
        parts = [like(value, new_leaves) for value in nest]
        return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)
    return next(new_leaves)


def map_leaves(fn: Callable[..., Any], nest: Any, *others: Any) -> Any:
    """`fn` applied to the leaves of one nest, or to those at the same places of several.

    ValueError if the nests differ in structure.

    >>> map_leaves(lambda a, b: a + b, (1, (2,)), (10, (20,)))
    (11, (22,))
    """
    if any(structure(other) != structure(nest) for other in others):
        found = " and ".join(str(structure(n)) for n in (nest, *others))
        raise ValueError(f"states of different structure: {found}")
    columns = zip(*(leaves(n) for n in (nest, *others)), strict=True)
    return like(nest, iter([fn(*column) for column in columns]))


def structure(nest: Any) -> Any:
    """The nest with every leaf replaced by `*`, for comparing and for messages.

    >>> structure((1, {"a": 2}))
    ('*', {'a': '*'})
    """
    return like(nest, iter("*" * len(leaves(nest))))


def _children(nest: Any) -> Iterator[Any]:
    if isinstance(nest, dict):
        yield from nest.values()
    elif isinstance(nest, tuple | list):
        yield from nest
    else:
        yield nest
