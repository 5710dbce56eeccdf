"""The adding problem."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.data import DataError, adding_problem


@given(st.integers(2, 30), st.integers(1, 20), st.integers(0, 1000))
def test_one_marker_in_each_half_and_the_sum_of_the_marked(steps, batch_size, seed) -> None:
    x, y = adding_problem(steps, batch_size, np.random.default_rng(seed))
    assert x.shape == (steps, batch_size, 2)
    assert y.shape == (batch_size, 1)
    assert x.dtype == y.dtype == np.float32
    values, markers = x[..., 0], x[..., 1]
    assert values.min() >= 0
    assert values.max() <= 1
    assert set(np.unique(markers)) <= {0, 1}
    assert markers[: steps // 2].sum(axis=0).tolist() == [1] * batch_size
    assert markers[steps // 2 :].sum(axis=0).tolist() == [1] * batch_size
    np.testing.assert_allclose((values * markers).sum(axis=0), y[:, 0], rtol=1e-6)


def test_every_step_is_marked_sometimes_and_the_mean_answer_errs_by_a_sixth() -> None:
    x, y = adding_problem(10, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(x[..., 1].mean(axis=1), 0.2, atol=0.02)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.01)


def test_the_generator_decides() -> None:
    first, again = (adding_problem(8, 4, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, adding_problem(8, 4, np.random.default_rng(4))[0])


@pytest.mark.parametrize(
    ("steps", "batch_size", "message"),
    [(1, 4, "^steps is 1, but must be at least 2"), (4, 0, "^batch_size is 0, but must be at")],
)
def test_sizes_too_small(steps: int, batch_size: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        adding_problem(steps, batch_size, np.random.default_rng(0))
