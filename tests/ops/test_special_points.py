"""Documented gradients where a derivative is not defined, and values where naive code overflows."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg


def gradient(fn, *arrays):
    """The gradients of sum(fn(*arrays)) at float64 arrays, as arrays."""
    leaves = [tg.tensor(np.asarray(a, np.float64), requires_grad=True) for a in arrays]
    fn(*leaves).sum().backward()
    found = [np.zeros(x.shape) if x.grad is None else x.grad.data for x in leaves]
    return found[0] if len(found) == 1 else found


def second(fn, a):
    """The gradient of sum(gradient(fn))."""
    x = tg.tensor(np.asarray(a, np.float64), requires_grad=True)
    (first,) = tg.grad(fn(x).sum(), x, create_graph=True)
    (again,) = tg.grad(first.sum(), x, allow_unused=True) if first.requires_grad else (None,)
    return np.zeros(x.shape) if again is None else again.data


CASES = {
    "max shares between equal ones": (tg.max, [1.0, 3.0, 3.0, 2.0], [0, 0.5, 0.5, 0]),
    "max by axis": (lambda x: tg.max(x, axis=0), [[1.0, 2.0], [1.0, 0.0]], [[0.5, 1], [0.5, 0]]),
    "min shares": (tg.min, [1.0, 1.0, 1.0], [1 / 3] * 3),
    "relu at 0": (tg.relu, [-1.0, 0.0, 1.0], [0, 0, 1]),
    "leaky_relu at 0": (lambda x: tg.leaky_relu(x, negative_slope=0.25), [0.0, -1.0], [0.25, 0.25]),
    "abs at 0": (tg.abs, [-2.0, 0.0, 3.0], [-1, 0, 1]),
    "norm at 0": (tg.norm, [0.0, 0.0], [0, 0]),
    "norm of nothing": (tg.norm, [], []),
    "norm by axis, one row 0": (
        lambda x: tg.norm(x, axis=1),
        [[0.0, 0.0], [3.0, 4.0]],
        [[0, 0], [0.6, 0.8]],
    ),
    "clip passes at its limits": (
        lambda x: tg.clip(x, -1, 1),
        [-2.0, -1.0, 0, 1.0, 2],
        [0, 1, 1, 1, 0],
    ),
    "pow 0 at 0": (lambda x: x**0, [0.0, 2.0], [0, 0]),
    "pow 1 at 0": (lambda x: x**1, [0.0, 2.0], [1, 1]),
    "pow 2 at 0": (lambda x: x**2, [0.0, -3.0], [0, -6]),
    "pow 3 of negative": (lambda x: x**3, [-2.0], [12]),
    "square root by pow": (lambda x: x**0.5, [4.0], [0.25]),
    "prod with one zero": (tg.prod, [2.0, 0.0, 3.0], [0, 6, 0]),
    "prod with two zeros": (tg.prod, [0.0, 0.0, 3.0], [0, 0, 0]),
    "prod of one": (tg.prod, [5.0], [1]),
    "sign": (lambda x: tg.sign(x) * x, [-2.0, 3.0], [-1, 1]),
    "a constant": (lambda x: x * 0 + tg.floor_divide(x, 2), [3.0], [0]),
}


@pytest.mark.parametrize("name", CASES)
def test_documented_gradient(name) -> None:
    fn, x, expected = CASES[name]
    np.testing.assert_allclose(gradient(fn, x), expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("fn", [tg.maximum, tg.minimum])
def test_equal_operands_share(fn) -> None:
    x, y = gradient(fn, [1.0, 2.0], [1.0, 5.0])
    assert x[0] == y[0] == 0.5 and x[1] + y[1] == 1


def test_second_gradient_of_prod_with_zeros() -> None:
    np.testing.assert_array_equal(second(tg.prod, [0.0, 0.0, 3.0]), [3, 3, 0])
    np.testing.assert_array_equal(second(tg.prod, [2.0, 0.0, 3.0]), [3, 5, 2])


def test_gradient_by_the_exponent_at_base_0_is_0() -> None:
    base, exponent = gradient(lambda x, y: x**y, [0.0, 2.0], [2.0, 3.0])
    np.testing.assert_allclose(base, [0, 12])
    np.testing.assert_allclose(exponent, [0, 8 * np.log(2)])


def test_gradient_by_clip_limits() -> None:
    x, low, high = gradient(tg.clip, [-2.0, 0.0, 2.0], [-1.0] * 3, [1.0] * 3)
    np.testing.assert_array_equal(x, [0, 1, 0])
    np.testing.assert_array_equal(low, [1, 0, 0])
    np.testing.assert_array_equal(high, [0, 0, 1])


@pytest.mark.parametrize("fn", [tg.log, tg.sqrt, lambda x, where: tg.div(1.0, x, where=where)])
def test_a_mask_sends_no_nan_out_of_what_it_hides(fn) -> None:
    x = np.array([0.0, -1.0, 4.0])
    with np.errstate(all="raise"):
        found = gradient(lambda t: fn(t, where=t > 0), x)
    assert found[0] == found[1] == 0 and np.isfinite(found[2]) and found[2] != 0


def test_a_mask_holds_in_the_second_gradient() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_allclose(second(lambda t: tg.log(t, where=t > 0), [0.0, 2.0]), [0, -0.25])


EXTREME = np.array([-1e4, -800.0, -100.0, 0.0, 100.0, 800.0, 1e4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "fn",
    [tg.sigmoid, tg.silu, tg.softplus, tg.gelu, tg.elu, tg.tanh, tg.relu],
    ids=lambda f: f.name,
)
def test_activations_neither_overflow_nor_warn(fn, dtype) -> None:
    x = tg.tensor(EXTREME.astype(dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = fn(x)
        y.sum().backward()
    assert np.isfinite(y.data).all() and np.isfinite(x.grad.data).all()


def test_sigmoid_has_its_limits() -> None:
    y = tg.sigmoid(tg.tensor([-1e4, 0.0, 1e4]))
    np.testing.assert_array_equal(y.data, np.float32([0, 0.5, 1]))


@pytest.mark.parametrize("fn", [tg.softmax, tg.log_softmax])
def test_softmax_of_huge_numbers(fn) -> None:
    x = tg.tensor([[1e4, 1e4, -1e4], [-1e38, 0.0, 1e38]], requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = fn(x)
        (y * tg.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])).sum().backward()
    probabilities = np.exp(y.data) if fn is tg.log_softmax else y.data
    np.testing.assert_allclose(probabilities, [[0.5, 0.5, 0], [0, 0, 1]], atol=1e-7)
    assert np.isfinite(x.grad.data).all()


def test_logsumexp_of_infinities() -> None:
    inf = np.inf
    rows = tg.tensor([[-inf, -inf], [0.0, -inf], [1e4, 1e4]])
    np.testing.assert_allclose(
        tg.logsumexp(rows, axis=1).data, np.float32([-inf, 0, 1e4 + np.log(2)])
    )
    assert tg.logsumexp(tg.zeros(0)).item() == -inf


def test_logaddexp_of_huge_numbers() -> None:
    x, y = gradient(tg.logaddexp, [1e5, -1e5, 3.0], [-1e5, 1e5, 3.0])
    np.testing.assert_allclose(x, [1, 0, 0.5], rtol=1e-15)
    np.testing.assert_allclose(y, [0, 1, 0.5], rtol=1e-15)


def test_hadamard_is_the_elementwise_product() -> None:
    assert tg.hadamard is tg.mul


def test_an_element_named_twice_gets_both_gradients() -> None:
    np.testing.assert_array_equal(gradient(lambda x: x[[0, 0, 2]], [1.0, 2, 3]), [2, 0, 1])
    np.testing.assert_array_equal(
        gradient(lambda x: tg.take(x, [1, 1], axis=0), [1.0, 2.0]), [0, 2]
    )


@pytest.mark.parametrize("count", [1, 3, 200])  # few of the elements, or many
@pytest.mark.parametrize("order", ["C", "F"])
def test_gradients_of_picked_rows_add_up_however_they_lie_in_memory(count, order) -> None:
    rng = np.random.default_rng(0)
    rows, grad = rng.integers(0, 50, count), rng.normal(size=(count, 4))
    x = tg.zeros(50, 4, dtype="float64", requires_grad=True)
    tg.take(x, rows, axis=0).backward(np.asarray(grad, order=order))
    expected = np.zeros((50, 4))
    np.add.at(expected, rows, grad)
    np.testing.assert_array_equal(x.grad.data, expected)


def test_index_update_cuts_the_gradient_of_what_it_replaces() -> None:
    x, values = gradient(
        lambda x, v: tg.index_update(x, [0, 2], v) * tg.tensor([1.0, 10.0, 100.0]),
        [1.0, 2.0, 3.0],
        [5.0, 6.0],
    )
    np.testing.assert_array_equal(x, [0, 10, 0])
    np.testing.assert_array_equal(values, [1, 100])


@pytest.mark.parametrize("x", [0.125, 2.0, 3.5])
def test_the_mixed_second_derivative_of_a_power_at_exponent_zero(x) -> None:
    base, exponent = (tg.tensor(v, dtype="float64", requires_grad=True) for v in (x, 0.0))
    (by_base,) = tg.grad(tg.pow(base, exponent), [base], create_graph=True)
    assert by_base.item() == 0.0
    (mixed,) = tg.grad(by_base, [exponent])
    assert mixed.item() == pytest.approx(1 / x, rel=1e-14)  # d/dy of y x^(y - 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_mean_of_more_elements_than_float16_can_count_has_a_gradient(dtype) -> None:
    x = tg.zeros(70_000, dtype=dtype, requires_grad=True)
    x.mean().backward()
    tolerance = max(float(np.finfo(dtype).eps), float(np.finfo(dtype).smallest_subnormal) * 7e4)
    np.testing.assert_allclose(x.grad.data, 1 / 70_000, rtol=tolerance)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64"])
def test_a_power_of_or_by_integers_has_the_gradient_of_the_same_floats(dtype) -> None:
    """Whatever the dtype of the constant: no wrapping around, no precision lost to a narrow one."""
    least = max(np.iinfo(dtype).min, -128)
    whole = np.array([3, 2, 1, 0, least, 127], dtype)
    x = np.array([0.9, 20.0, 0.0, 30.0, -1.01, 1.02])
    for power, n in ((tg.pow, whole), (lambda t, n: n ** np.abs(t), np.maximum(whole, 0))):
        found, expected = tg.tensor(x, requires_grad=True), tg.tensor(x, requires_grad=True)
        power(found, tg.tensor(n)).sum().backward()
        power(expected, tg.tensor(n, "float64")).sum().backward()
        np.testing.assert_allclose(found.grad.data, expected.grad.data, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("count", [65_504, 65_506])
def test_a_variance_of_more_elements_than_float16_can_count(dtype, count) -> None:
    x = tg.tensor(np.resize([0.0, 0.25], count), dtype, requires_grad=True)  # the squares add up
    found = tg.var(x, ddof=1)
    found.backward()
    assert found.item() == pytest.approx(0.125**2, rel=2e-3)
    expected = 2 * (np.resize([0.0, 0.25], count) - 0.125) / (count - 1)
    np.testing.assert_allclose(x.grad.data, expected, rtol=0.02)
