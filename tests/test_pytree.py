"""Pytrees: leaves, mapping, and the order of a dict's keys."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import pytree

Pair = namedtuple("Pair", "a b")

nests = st.recursive(
    st.integers() | st.none(),
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
    assert pytree.unflatten(nest, pytree.leaves(nest)) == nest
    assert pytree.map(lambda x: x, nest) == nest
    assert pytree.leaves(pytree.structure(nest)) == ["*"] * len(pytree.leaves(nest))


@given(nests)
def test_leaves_meet_those_of_the_same_key(nest) -> None:
    other = reordered(nest)
    assert pytree.leaves(pytree.aligned(other, nest)) == pytree.leaves(nest)
    assert pytree.map(lambda x, y: (x, y), nest, other) == pytree.map(lambda x: (x, x), nest)


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
        (None, 1),
        (1, None),
        (None, ()),
        ((None, 1), (1, None)),
    ],
)
def test_different_structures_do_not_match(nest, pattern) -> None:
    with pytest.raises(ValueError, match="the structure should be"):
        pytree.aligned(nest, pattern)
    with pytest.raises(ValueError, match="the structure should be"):
        pytree.map(lambda x, y: x, pattern, nest)


@given(nests)
def test_none_and_empty_trees_have_no_leaves(nest) -> None:
    assert None not in pytree.leaves(nest)
    assert pytree.structure((nest, None, ())) == (pytree.structure(nest), None, ())


def test_unflatten_takes_just_as_many_leaves_as_there_are_places() -> None:
    for few_or_many in ([], [1], [1, 2, 3]):
        with pytest.raises(ValueError, match=f"{len(few_or_many)} leaves .* places for 2"):
            pytree.unflatten(("*", {"a": "*"}), few_or_many)


def test_detach_keeps_values_and_what_is_no_tensor() -> None:
    h = tg.tensor([1.0, 2.0], requires_grad=True)
    state = Pair(h * 2, {"array": np.ones(2), "none": None})
    detached = tg.detach(state)
    assert pytree.structure(detached) == pytree.structure(state)
    assert not detached.a.requires_grad
    assert detached.a.data is state.a.data
    assert detached.b["array"] is state.b["array"]
