"""States are nests: tuples, named tuples, lists and dicts of Tensors, of any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["aligned", "leaves", "like", "map_leaves", "structure"]


def leaves(nest: Any) -> list[Any]:
    """The Tensors of a nest, from left to right; dicts in the order of their insertion.

    >>> leaves((1, {"a": 2, "b": (3,)}))
    [1, 2, 3]
    """
    if isinstance(nest, dict):
        nest = [*nest.values()]
    elif not isinstance(nest, tuple | list):
        return [nest]
    return [leaf for child in nest for leaf in leaves(child)]


def like(nest: Any, new_leaves: Iterator[Any]) -> Any:
    """A nest of the same structure with other leaves.

    >>> like((1, {"a": 2}), iter("xy"))
    ('x', {'a': 'y'})
    """
    if isinstance(nest, dict):
        return {key: like(value, new_leaves) for key, value in nest.items()}
    if isinstance(nest, tuple | list):
        return _made_like(nest, [like(value, new_leaves) for value in nest])
    return next(new_leaves)


def _made_like(sequence: Any, parts: list[Any]) -> Any:
    kind = type(sequence)
    return kind(*parts) if hasattr(sequence, "_fields") else kind(parts)


def map_leaves(fn: Callable[..., Any], nest: Any, *others: Any) -> Any:
    """`fn` applied to the leaves of one nest, or to those at the same places of several.

    ValueError if the nests differ in structure; the order of a dict's keys does not matter.

    >>> map_leaves(lambda a, b: a + b, (1, (2,)), (10, (20,)))
    (11, (22,))
    """
    columns = zip(leaves(nest), *(leaves(aligned(other, nest)) for other in others), strict=True)
    return like(nest, iter([fn(*column) for column in columns]))


def aligned(nest: Any, pattern: Any) -> Any:
    """The nest with the keys of its dicts in the order of the pattern's: leaves then correspond.

    ValueError if the two differ in structure.

    >>> aligned({"c": 1, "h": 2}, {"h": 3, "c": 4})
    {'h': 2, 'c': 1}
    """
    try:
        return _aligned(nest, pattern)
    except LookupError:
        raise ValueError(
            f"the state has the structure {structure(nest)}, not {structure(pattern)}"
        ) from None


def _aligned(nest: Any, pattern: Any) -> Any:
    if isinstance(pattern, dict):
        if isinstance(nest, dict) and nest.keys() == pattern.keys():
            return {key: _aligned(nest[key], part) for key, part in pattern.items()}
    elif isinstance(pattern, tuple | list):
        if type(nest) is type(pattern) and len(nest) == len(pattern):
            return _made_like(pattern, [_aligned(*pair) for pair in zip(nest, pattern)])
    elif not isinstance(nest, dict | tuple | list):
        return nest
    raise LookupError


def structure(nest: Any) -> Any:
    """The nest with every leaf replaced by `*`, for comparing and for messages.

    >>> structure((1, {"a": 2}))
    ('*', {'a': '*'})
    """
    return like(nest, iter("*" * len(leaves(nest))))
