"""Tensors from nothing."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: tg.zeros(2, 3), np.zeros((2, 3), np.float32)),
        (lambda: tg.zeros((2, 3)), np.zeros((2, 3), np.float32)),
        (lambda: tg.zeros(), np.zeros((), np.float32)),
        (lambda: tg.ones(2, dtype="int64"), np.ones(2, np.int64)),
        (lambda: tg.full((2,), 7.0), np.full(2, 7, np.float32)),
        (lambda: tg.full((2,), 7), np.full(2, 7, np.int64)),
        (lambda: tg.full((2,), True), np.full(2, True)),
        (lambda: tg.arange(3), np.arange(3)),
        (lambda: tg.arange(1, 2, 0.5), np.arange(1, 2, 0.5, np.float32)),
        (lambda: tg.eye(2, 3), np.eye(2, 3, dtype=np.float32)),
        (lambda: tg.zeros_like(tg.tensor([1, 2])), np.zeros(2, np.int64)),
        (lambda: tg.ones_like(tg.zeros(2, dtype=np.float64)), np.ones(2)),
    ],
)
def test_values_and_dtypes(made, expected) -> None:
    t = made()
    assert t.dtype == expected.dtype and not t.requires_grad
    np.testing.assert_array_equal(t.data, expected)


@pytest.mark.parametrize("draw", [tg.rand, tg.randn])
def test_one_seed_one_sequence(draw) -> None:
    tg.manual_seed(5)
    first = draw(3).data.copy(), draw(2, 2).data.copy()
    tg.manual_seed(5)
    again = draw(3).data, draw((2, 2)).data
    for a, b in zip(first, again, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(draw(3).data, first[0])


def test_random_numbers_have_their_distribution() -> None:
    tg.manual_seed(0)
    uniform, normal = tg.rand(20000, dtype=np.float64).data, tg.randn(20000).data
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01 and abs(uniform.std() - 12**-0.5) < 0.01
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.03


def test_rand_like_is_new_in_each_call() -> None:
    x = tg.zeros(4, requires_grad=True)
    a, b = tg.rand_like(x), tg.rand_like(x)
    assert a.dtype == np.float32 and not a.requires_grad
    assert not np.array_equal(a.data, b.data)


def test_requires_grad() -> None:
    for t in (tg.zeros(2, requires_grad=True), tg.randn(2, requires_grad=True)):
        assert t.requires_grad and t.is_leaf
    with pytest.raises(TypeError, match="floating"):
        tg.arange(3, requires_grad=True)
