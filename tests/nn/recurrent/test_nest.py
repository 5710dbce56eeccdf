"""Nests: leaves, mapping, and the order of a dict's keys."""

from __future__ import annotations

from collections import namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.nn.recurrent.nest import aligned, leaves, like, map_leaves, structure

Pair = namedtuple("Pair", "a b")

nests = st.recursive(
    st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.tuples(inner, inner).map(lambda pair: Pair(*pair))
        | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    ),
    max_leaves=8,
)


def reordered(nest):
    """The same nest with the keys of all dicts in reverse order."""
    if isinstance(nest, dict):
        return {key: reordered(nest[key]) for key in reversed(nest)}
    if isinstance(nest, Pair):
        return Pair(*map(reordered, nest))
    return type(nest)(map(reordered, nest)) if isinstance(nest, list | tuple) else nest


@given(nests)
def test_a_nest_is_its_structure_and_its_leaves(nest) -> None:
    assert like(nest, iter(leaves(nest))) == nest
    assert map_leaves(lambda x: x, nest) == nest
    assert leaves(structure(nest)) == ["*"] * len(leaves(nest))


@given(nests)
def test_leaves_meet_those_of_the_same_key(nest) -> None:
    other = reordered(nest)
    assert leaves(aligned(other, nest)) == leaves(nest)
    assert map_leaves(lambda x, y: (x, y), nest, other) == map_leaves(lambda x: (x, x), nest)


@pytest.mark.parametrize(
    ("nest", "pattern"),
    [
        (1, (1,)),
        ((1,), 1),
        ((1, 2), (1,)),
        ((1, 2), [1, 2]),
        ((1, 2), Pair(1, 2)),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": (1,)}, {"a": 1}),
    ],
)
def test_different_structures_do_not_match(nest, pattern) -> None:
    with pytest.raises(ValueError, match="the state has the structure"):
        aligned(nest, pattern)
    with pytest.raises(ValueError, match="the state has the structure"):
        map_leaves(lambda x, y: x, pattern, nest)
