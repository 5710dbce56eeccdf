"""Pytrees: nests of tuples, named tuples, lists and dicts, with Tensors as their leaves.

The state of a cell is one: a single Tensor, an LSTM's `(h, c)`, a dict of memories. The vocabulary
is that of `jax.tree`: a tree is its `structure` and its `leaves`, and `map` changes the leaves.
None is a tree without leaves, as are `()`, `[]` and `{}`.

>>> import tinygrad_rnn as tg
>>> state = (tg.ones(2), {"memory": tg.zeros(2), "cache": None})
>>> tg.pytree.structure(state)
('*', {'memory': '*', 'cache': None})
>>> tg.pytree.map(lambda leaf: leaf + 1.0, state)[1]["memory"]
tensor([1., 1.], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .engine.tensor import Tensor

__all__ = [
    "aligned",
    "described",
    "detach",
    "flatten",
    "leaves",
    "map",
    "places",
    "structure",
    "unflatten",
]


def leaves(tree: Any) -> list[Any]:
    """The leaves from left to right; those of a dict in the order of its insertion.

    >>> leaves((1, {"a": 2, "b": (3, None)}))
    [1, 2, 3]
    """
    if isinstance(tree, Tensor):  # the leaf that is looked at most often
        return [tree]
    if tree is None:
        return []
    if isinstance(tree, dict):
        tree = [*tree.values()]
    elif not isinstance(tree, (tuple, list)):
        return [tree]
    return [leaf for child in tree for leaf in leaves(child)]


def places(tree: Any) -> list[str]:
    """Where each leaf is, as one would write it in Python after the name of the tree.

    >>> places((1, {"a": 2, "b": (3, None)}))
    ['[0]', "[1]['a']", "[1]['b'][0]"]
    """
    if tree is None:
        return []
    if isinstance(tree, dict):
        children = [(f"[{key!r}]", child) for key, child in tree.items()]
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        children = [(f".{field}", child) for field, child in zip(tree._fields, tree)]
    elif isinstance(tree, tuple | list):
        children = [(f"[{k}]", child) for k, child in enumerate(tree)]
    else:
        return [""]
    return [here + inner for here, child in children for inner in places(child)]


def structure(tree: Any) -> Any:
    """The tree with every leaf replaced by `*`, for comparing and for messages.

    >>> structure((1, {"a": 2}))
    ('*', {'a': '*'})
    """
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: structure(child) for key, child in tree.items()}
    if isinstance(tree, (tuple, list)):
        return _made_like(tree, [structure(child) for child in tree])
    return "*"


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a tree and its structure; `unflatten` puts them together again.

    >>> flatten((1, {"a": 2}))
    ([1, 2], ('*', {'a': '*'}))
    """
    return ([tree], "*") if isinstance(tree, Tensor) else (leaves(tree), structure(tree))


def unflatten(pattern: Any, new_leaves: Iterable[Any]) -> Any:
    """A tree of the structure of `pattern` (a tree, or a `structure`) with these leaves.

    ValueError if there are fewer or more leaves than places.

    >>> unflatten((1, {"a": 2}), ["x", "y"])
    ('x', {'a': 'y'})
    """
    given = [*new_leaves]
    rest = iter(given)
    try:
        tree = _filled(pattern, rest)
        few = False
    except StopIteration:
        few = True
    if few or next(rest, _NO_MORE) is not _NO_MORE:
        raise ValueError(
            f"{len(given)} leaves for a tree with places for {len(leaves(pattern))}: "
            f"{structure(pattern)}"
        )
    return tree


_NO_MORE = object()


def _filled(pattern: Any, given: Iterator[Any]) -> Any:
    if pattern is None:
        return None
    if isinstance(pattern, dict):
        return {key: _filled(child, given) for key, child in pattern.items()}
    if isinstance(pattern, (tuple, list)):
        return _made_like(pattern, [_filled(child, given) for child in pattern])
    return next(given)


def _made_like(sequence: Any, children: list[Any]) -> Any:
    kind = type(sequence)
    return kind(*children) if hasattr(sequence, "_fields") else kind(children)


def map(fn: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """`fn` applied to each leaf, or to the leaves at the same place of several trees.

    ValueError if the trees differ in structure; the order of a dict's keys does not matter.

    >>> map(lambda a, b: a + b, (1, (2,)), (10, (20,)))
    (11, (22,))
    """
    if isinstance(tree, Tensor) and not others:
        return fn(tree)
    columns = zip(leaves(tree), *(leaves(aligned(other, tree)) for other in others), strict=True)
    return _filled(tree, iter([fn(*column) for column in columns]))


def aligned(tree: Any, pattern: Any) -> Any:
    """The tree with the keys of its dicts in the order of the pattern's: leaves then correspond.

    ValueError if the two differ in structure.

    >>> aligned({"c": 1, "h": 2}, {"h": 3, "c": 4})
    {'h': 2, 'c': 1}
    """
    try:
        return _aligned(tree, pattern)
    except LookupError:
        raise ValueError(
            f"the structure should be {structure(pattern)}; it is {structure(tree)}"
        ) from None


def _aligned(tree: Any, pattern: Any) -> Any:
    if isinstance(pattern, (tuple, list)):
        if type(tree) is type(pattern) and len(tree) == len(pattern):
            return _made_like(pattern, [_aligned(*pair) for pair in zip(tree, pattern)])
    elif isinstance(pattern, dict):
        if isinstance(tree, dict) and tree.keys() == pattern.keys():
            return {key: _aligned(tree[key], child) for key, child in pattern.items()}
    elif pattern is None:
        if tree is None:
            return None
    elif tree is not None and not isinstance(tree, (dict, tuple, list)):
        return tree
    raise LookupError


def detach(tree: Any) -> Any:
    """The same values without their history: no gradient flows back past them.

    Between two batches of one long sequence (truncated backpropagation through time), the state
    is carried on and its history is not. Leaves that are not Tensors stay as they are.

    >>> import tinygrad_rnn as tg
    >>> layer, state = tg.nn.LSTM(3, 4), None
    >>> for batch in tg.randn(2, 5, 1, 3):
    ...     outputs, state = layer(batch, state)
    ...     outputs.sum().backward()
    ...     state = tg.detach(state)
    """
    return map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, tree)


def described(tree: Any) -> str:
    """The tree for a message: dtype and shape of each array, the type of any other leaf.

    >>> import tinygrad_rnn as tg
    >>> described((tg.zeros(2, 4), {"count": 3}))
    "(float32[2, 4], {'count': int})"
    """
    return str(map(_Described, tree))


class _Described:
    """A leaf whose repr is its dtype and shape, or its type."""

    def __init__(self, leaf: Any) -> None:
        self.leaf = leaf

    def __repr__(self) -> str:
        if hasattr(self.leaf, "shape") and hasattr(self.leaf, "dtype"):
            return f"{self.leaf.dtype}[{', '.join(str(size) for size in self.leaf.shape)}]"
        return type(self.leaf).__name__
