"""Initialisers: where their values lie, and that they fill in place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.nn import init


def test_they_fill_in_place_and_return_the_tensor() -> None:
    for fill in (
        init.uniform_,
        init.normal_,
        init.zeros_,
        init.xavier_uniform_,
        init.xavier_normal_,
        init.orthogonal_,
        lambda t: init.constant_(t, 3.0),
    ):
        parameter = tg.nn.Parameter(np.full((3, 4), 9.0, "float32"))
        array = parameter._data
        assert fill(parameter) is parameter
        assert parameter._data is array and array.dtype == np.float32 and parameter.requires_grad
        assert not (array == 9.0).any()


@pytest.mark.parametrize(
    ("fill", "mean", "std", "bound"),
    [
        (lambda t: init.uniform_(t, -1.0, 3.0), 1.0, 4 / np.sqrt(12), 3.0),
        (lambda t: init.normal_(t, 2.0, 0.5), 2.0, 0.5, np.inf),
        (init.xavier_uniform_, 0.0, np.sqrt(2 / 500), np.sqrt(6 / 500)),
        (lambda t: init.xavier_normal_(t, gain=3.0), 0.0, 3 * np.sqrt(2 / 500), np.inf),
    ],
)
def test_values_have_the_distribution_that_they_say(fill, mean, std, bound) -> None:
    values = fill(tg.zeros(200, 300)).data
    assert values.mean() == pytest.approx(mean, abs=5 * std / np.sqrt(values.size))
    assert values.std() == pytest.approx(std, rel=0.02)
    assert np.abs(values).max() <= bound * (1 + 1e-6)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.floats(0.1, 3.0))
def test_orthogonal_matrices_keep_lengths(rows, columns, depth, gain) -> None:
    filled = init.orthogonal_(tg.zeros(rows, columns, depth, dtype="float64"), gain)
    matrix = filled.data.reshape(rows, -1)
    if rows > columns * depth:
        matrix = matrix.T
    np.testing.assert_allclose(matrix @ matrix.T, gain**2 * np.eye(len(matrix)), atol=1e-12)


def test_the_forget_gate_is_the_second_quarter_as_the_cell_has_it() -> None:
    cell = tg.nn.LSTMCell(1, 2)
    for name, parameter in cell.named_parameters():
        init.zeros_(parameter)
        if name == "bias_hh":
            init.forget_gate_bias_(parameter, 100.0)
    np.testing.assert_array_equal(cell.bias_hh.data, [0, 0, 100, 100, 0, 0, 0, 0])
    _, c = cell(tg.ones(1, 1), (tg.zeros(1, 2), tg.tensor([[5.0, -3.0]])))
    np.testing.assert_array_equal(c.data, [[5.0, -3.0]])  # an open forget gate keeps it all


def test_refusals() -> None:
    for fill in (init.xavier_uniform_, init.xavier_normal_, init.orthogonal_):
        with pytest.raises(ValueError, match=r"two axes or more, found shape \(3,\)"):
            fill(tg.zeros(3))
    for bias in (tg.zeros(6), tg.zeros(4, 4)):
        with pytest.raises(ValueError, match=r"an LSTM bias has shape \(4 \* hidden_size,\)"):
            init.forget_gate_bias_(bias)


def test_a_fill_between_forward_and_backward_is_noticed() -> None:
    linear = tg.nn.Linear(2, 1)
    loss = linear(tg.ones(1, 2, requires_grad=True)).sum()
    init.zeros_(linear.weight)
    with pytest.raises(tg.StaleValueError, match="initialiser"):
        loss.backward()
