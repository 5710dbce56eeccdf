"""Indexing in compiled loops: keys mean what they mean to NumPy, and computed ones are checked."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("llvmlite", reason="needs llvmlite")

from tinygrad_rnn.compiler.backends.llvm.loop_text.indexing import indexed


@st.composite
def keys(draw):
    """An array whose elements are their numbers in memory, and a key for it."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    x = np.arange(np.prod(shape)).reshape(shape)
    order = draw(st.permutations(range(len(shape))))
    x = x.transpose(order)[tuple(slice(None, None, draw(st.sampled_from([1, -1]))) for _ in order)]
    places = draw(st.lists(st.integers(1, 2), max_size=2))  # the shape of the arrays of the key
    groups = []  # for each axis, its part of the key, after a new axis perhaps
    for n in x.shape:
        kind = draw(st.sampled_from(["slice", "int", "array", "array"]))
        if kind == "int":
            part = draw(st.integers(-n, n - 1))
        elif kind == "array":
            own = [draw(st.sampled_from([1, m])) for m in places]
            count = int(np.prod(own))
            flat = draw(st.lists(st.integers(0, n - 1), min_size=count, max_size=count))
            part = np.array(flat, int).reshape(own)
        else:
            ends = st.none() | st.integers(-n, n)
            part = slice(draw(ends), draw(ends), draw(st.sampled_from([None, 2, -1])))
        groups.append([None] * draw(st.integers(0, 1)) + [part])
    first, last = sorted(draw(st.integers(0, x.ndim)) for _ in range(2))
    if draw(st.booleans()):
        groups[first:last] = [[Ellipsis]]
    key = [part for group in groups for part in group]
    return x, tuple(key)


@settings(max_examples=settings().max_examples * 3)
@given(keys())
@example((np.array([[0]]), (None, 0, Ellipsis, np.array([[0, 0]]))))
def test_a_key_picks_what_it_picks_from_an_array_of_numpys(case) -> None:
    x, key = case
    as_in_a_loop = tuple(
        SimpleNamespace(array=part, shape=part.shape) if isinstance(part, np.ndarray) else part
        for part in key
    )
    base, picks = indexed(x, as_in_a_loop)
    expected = x[key]
    assert base.shape == expected.shape
    if not expected.size:
        return
    assert np.may_share_memory(base, x)
    found = base + sum(pick.array * pick.stride for pick in picks)
    np.testing.assert_array_equal(found, expected)
    for pick in picks:  # the axis is that which an error would name
        assert pick.size == x.shape[pick.number]
