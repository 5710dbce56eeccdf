"""What single cells promise beside their equations: constants, matrices, a window that is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import cells
from tinygrad_rnn.nn.recurrent.run import run

from .papers import mpmath


@pytest.mark.parametrize("make", [cells.HouseholderRNNCell, cells.UnitaryRNNCell])
@given(size=st.integers(1, 7), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_the_recurrent_matrix_is_orthogonal(make, size, seed) -> None:
    cell = make(2, size).astype("float64")
    rng = np.random.default_rng(seed)
    for parameter in cell.parameters():
        parameter.data = 3 * rng.standard_normal(parameter.shape)
    matrix = cell.matrix().data
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-12)


def test_a_unitary_cell_that_starts_keeps_the_gradient_of_200_steps() -> None:
    cell = cells.UnitaryRNNCell(2, 8).astype("float64")
    x = tg.tensor(np.random.default_rng(0).standard_normal((200, 1, 2)))
    start = tg.tensor(np.random.default_rng(1).standard_normal((1, 16)), requires_grad=True)
    _, last = run(cell, x, start)
    (grad,) = tg.grad((last * last.detach()).sum(), [start])
    np.testing.assert_allclose(np.linalg.norm(grad.data), np.linalg.norm(last.data), rtol=1e-6)


@pytest.mark.parametrize(("size", "theta"), [(1, 3.0), (4, 10.0), (6, 0.5)])
def test_the_constants_of_the_legendre_memory(size, theta) -> None:
    tg.set_default_dtype("float64")
    try:
        cell = cells.LMUCell(2, 3, memory_size=size, theta=theta)
    finally:
        tg.set_default_dtype("float32")
    system = mpmath.zeros(size + 1)
    for i in range(size):
        for j in range(size):
            system[i, j] = (2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1)) / mpmath.mpf(theta)
        system[i, size] = (2 * i + 1) * (-1) ** i / mpmath.mpf(theta)
    held = np.array(mpmath.expm(system).tolist(), dtype=float)
    np.testing.assert_allclose(cell.A.data, held[:size, :size], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(cell.B.data, held[:size, size], rtol=1e-11, atol=1e-13)


def test_a_legendre_memory_holds_the_last_theta_steps() -> None:
    steps, theta = 300, 100.0
    cell = cells.LMUCell(1, 3, memory_size=12, theta=theta).astype("float64")
    cell.encoder_x.data, cell.encoder_h.data = np.ones(1), np.zeros(3)
    signal = np.sin(np.arange(steps) / 12) + 0.5 * np.cos(np.arange(steps) / 31)
    _, (_, m) = run(cell, tg.tensor(signal[:, None, None]), cell.initial_state(1))
    ago = np.arange(0, 100, 10)
    # Equation 3: u(t - r theta) is the sum of m_i times the shifted Legendre polynomial P_i(r).
    polynomials = np.polynomial.legendre.legvander(2 * ago / theta - 1, 11)
    np.testing.assert_allclose(polynomials @ m.data[0], signal[steps - 1 - ago], atol=0.05)


def test_a_clockwork_unit_rests_between_its_ticks() -> None:
    cell = cells.ClockworkRNNCell(2, 3, periods=[1, 2, 4])
    x = tg.tensor(np.random.default_rng(0).random((9, 1, 2), np.float32))
    outputs, _ = run(cell, x, cell.initial_state(1))
    moved = np.diff(outputs.data[:, 0], axis=0) != 0
    assert [list(np.flatnonzero(unit) + 1) for unit in moved.T] == [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [2, 4, 6, 8],
        [4, 8],
    ]


@pytest.mark.parametrize("periods", [(), (0, 1), (4, 2)])
def test_periods_of_a_clockwork_cell_are_whole_and_rise(periods) -> None:
    with pytest.raises(ValueError, match="periods must be"):
        cells.ClockworkRNNCell(2, 3, periods=periods)


def test_projected_lstm_is_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    peer = torch.nn.LSTM(2, 5, proj_size=3).double()
    cell = cells.ProjectedLSTMCell(2, 5, 3).astype("float64")
    for name, parameter in cell.named_parameters():
        parameter.data = getattr(peer, f"{name}_l0").detach().numpy().copy()
    x = np.random.default_rng(0).standard_normal((4, 2, 2))
    given, theirs = tg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    outputs, (r, c) = run(cell, given, cell.initial_state(2))
    expected, (last_r, last_c) = peer(theirs)
    for found, wanted in ((outputs, expected), (r, last_r[0]), (c, last_c[0])):
        np.testing.assert_allclose(found.data, wanted.detach().numpy(), rtol=1e-12)
    grads = tg.grad((outputs**2).sum(), [given, *cell.parameters()])
    named = [getattr(peer, f"{name}_l0") for name, _ in cell.named_parameters()]
    wanted = torch.autograd.grad((expected**2).sum(), [theirs, *named])
    for one, other in zip(grads, wanted, strict=True):
        np.testing.assert_allclose(one.data, other.numpy(), rtol=1e-10, atol=1e-13)
