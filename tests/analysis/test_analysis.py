"""Analyses against what is known exactly: eigenvalues, determinants, Jacobians, `tbptt`."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import analysis, nn
from tinygrad_rnn.training import through_time


class Linear(nn.Cell):
    """h_t = W h_{t-1} + x_t."""

    def __init__(self, matrix):
        self.hidden_size = len(matrix)
        self.w = nn.Parameter(matrix)
        self.astype("float64")

    def forward(self, x, h):
        return h @ self.w.T + x


class Fading(nn.Cell):
    """A step with a further input and a constant; the output is no state."""

    def __init__(self):
        self.input_size = self.hidden_size = 3
        self.w = nn.Parameter(np.random.default_rng(0).standard_normal((3, 3)))

    def step(self, x, h, dt, bias):
        h = tg.tanh(tg.exp(-dt) * h @ self.w + x + bias)
        return h * 2, h


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def jacobian(cell, x, h):
    """Of one step of one row, (n, n)."""
    return np.asarray(tg.jacobian(lambda h: cell(x[None], h[None])[0])(tg.tensor(h)).data)


@pytest.mark.parametrize("seed", range(3))
def test_exponents_of_a_linear_recurrence_are_the_log_moduli_of_its_eigenvalues(seed) -> None:
    matrix = noise(4, 4, seed=seed) / 2
    expected = np.sort(np.log(np.abs(np.linalg.eigvals(matrix))))[::-1]
    found = analysis.lyapunov_spectrum(Linear(matrix), np.zeros((200, 1, 4)), skip=50)
    np.testing.assert_allclose(found.exponents, expected, atol=0.05)


@pytest.mark.parametrize("every", [1, 3])
def test_exponents_add_up_to_the_mean_log_of_the_determinants(every) -> None:
    cell, x = nn.GRUCell(2, 3).astype("float64"), noise(12, 1, 2)
    h, logs = np.zeros(3), []
    for t in range(12):
        logs.append(np.log(abs(np.linalg.det(jacobian(cell, x[t, 0], h)))))
        h = cell(x[t], h[None]).data[0]
    found = analysis.lyapunov_spectrum(cell, x, skip=0, every=every)
    assert found.exponents.sum() == pytest.approx(np.mean(logs), rel=1e-9)


def test_what_is_not_handed_on_has_the_exponent_minus_infinity() -> None:
    class Forgets(nn.Cell):
        hidden_size = 2

        def forward(self, x, h):
            return h * [1.0, 0.0] + x

    found = analysis.lyapunov_spectrum(Forgets(), np.zeros((10, 1, 2)))
    assert found.exponents.tolist() == [0.0, -np.inf]
    assert found.dimension == 1.0


def test_a_chaotic_network_has_positive_exponents_and_a_dimension() -> None:
    cell = nn.RNNCell(1, 30).astype("float64")
    cell.weight_hh.data = 3 * noise(30, 30) / 30**0.5
    found = analysis.lyapunov_spectrum(cell, np.zeros((150, 1, 1)), 15)
    assert found.exponents[0] > 0.1 and 1 < found.dimension < 15
    assert found.exponents.shape == (15,) and found.rows.shape == (1, 15)


@pytest.mark.filterwarnings("error")
def test_kept_shares_are_the_norms_of_the_products_of_jacobians() -> None:
    cell, x = nn.RNNCell(2, 3).astype("float64"), noise(6, 1, 2)
    h, each = np.zeros(3), []
    for t in range(6):
        each.append(jacobian(cell, x[t, 0], h))
        h = cell(x[t], h[None]).data[0]
    product, expected = np.eye(3), [1.0]
    for j in reversed(each):
        product = product @ j
        expected.append(np.linalg.norm(product) / 3**0.5)
    found = analysis.memory_horizon(cell, x, probes=2000)
    np.testing.assert_allclose(found.kept, expected, rtol=0.1)


def test_horizon_is_the_last_step_before_the_share_is_lost() -> None:
    found = analysis.memory_horizon(Linear(0.5 * np.eye(2)), np.zeros((9, 3, 2)))
    np.testing.assert_allclose(found.kept, 0.5 ** np.arange(10))
    assert [found.steps(share) for share in (1, 0.5, 0.3, 0.1, 1e-4)] == [0, 1, 1, 3, None]
    assert "more than 9" not in repr(found) and "10%: 3" in repr(found)
    explodes = analysis.memory_horizon(Linear(2 * np.eye(2)), np.zeros((9, 3, 2)))
    assert explodes.steps(1) is None and explodes.kept[-1] == 2**9


def test_truncation_errors_are_those_of_tbptt() -> None:
    cell, x = nn.LSTMCell(2, 3).astype("float64"), noise(9, 2, 2)
    layer = nn.Recurrent(cell)

    def vector(found):
        return np.concatenate([np.ravel(g) for g in found.gradients])

    def loss(outputs, steps=None):
        return (outputs**3).sum()

    exact = vector(through_time.bptt(layer, tg.tensor(x), loss))
    found = analysis.truncation_errors(cell, x, loss, windows=[1, 2, 5, 9, 20])
    assert list(found) == [1, 2, 5]
    for k, error in found.items():
        other = vector(through_time.tbptt(layer, tg.tensor(x), loss, 1, k))
        assert error == pytest.approx(np.linalg.norm(other - exact) / np.linalg.norm(exact))


def test_further_inputs_and_constants() -> None:
    cell, x = Fading().astype("float64"), noise(8, 4, 3)
    further = {
        "inputs": {"dt": np.full((8, 4, 1), 0.3)},
        "constants": {"bias": noise(4, 3, seed=1)},
    }
    kept = analysis.memory_horizon(cell, x, **further).kept
    top = analysis.lyapunov_spectrum(cell, x, **further).exponents[0]
    errors = analysis.truncation_errors(cell, x, windows=[1, 4], **further)
    assert 0 < kept[-1] < 1 and np.isfinite(top) and 0 < errors[4] < errors[1]
    slower = {**further, "inputs": {"dt": np.full((8, 4, 1), 3.0)}}
    assert analysis.memory_horizon(cell, x, **slower).kept[-1] < kept[-1]
    assert analysis.lyapunov_spectrum(cell, x, **slower).exponents[0] < top


def test_images() -> None:
    cell = tg.cells.ConvLSTMCell(1, 2, (3, 3)).astype("float64")
    x = noise(6, 2, 1, 3, 3)
    assert analysis.memory_horizon(cell, x).kept.shape == (7,)
    assert analysis.lyapunov_spectrum(cell, x, 4).exponents.shape == (4,)
    assert analysis.truncation_errors(cell, x, windows=[2])[2] > 0


def test_what_is_wrong_is_said() -> None:
    cell, x = nn.RNNCell(2, 3), noise(5, 1, 2)
    with pytest.raises(TypeError, match="memory_horizon takes a cell"):
        analysis.memory_horizon(nn.RNN(2, 3), x)
    with pytest.raises(ValueError, match="of a step and a row"):
        analysis.memory_horizon(cell, x[:0])
    with pytest.raises(ValueError, match="share of the gradient"):
        analysis.memory_horizon(cell, x).steps(0)
    with pytest.raises(ValueError, match="count is from 1"):
        analysis.lyapunov_spectrum(cell, x, 4)
    with pytest.raises(ValueError, match="nothing is left"):
        analysis.lyapunov_spectrum(cell, x, skip=5)
    with pytest.raises(ValueError, match="one step at least, got 0"):
        analysis.truncation_errors(cell, x, windows=[0])
    with pytest.raises(TypeError, match="gap"):
        analysis.memory_horizon(cell, x, inputs={"gap": x})
