"""Ops declared by users: every form, checked, differentiated twice; and wrong declarations."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.testing import check_op, gradcheck, gradgradcheck, strategies


@tg.op
def cube(x):
    return x**3


@cube.vjp
def _(grad, out, x):
    return grad * 3 * x**2


@tg.op(elementwise=True)
def scaled_product(x, y, *, scale=1.0):
    """scale * x * y."""
    return scale * x * y


scaled_product.vjp(
    x=lambda grad, out, x, y, scale: grad * scale * y,
    y=lambda grad, out, x, y, scale: grad * scale * x,
)


@tg.op
def total(x, axis=None):
    return np.sum(x, axis=axis)


total.vjp(lambda grad, out, x, axis: np.expand_dims(grad, axis))


@tg.op
def weighted_sum(*xs, weights):
    return sum(w * x for w, x in zip(weights, xs, strict=True))


weighted_sum.vjp(xs=lambda grad, out, *xs, weights, position: grad * weights[position])


@tg.op
def sine_and_cosine(x):
    return np.sin(x), np.cos(x)


sine_and_cosine.vjp(lambda grad, out, x: grad[0] * out[1] - grad[1] * out[0])


def test_one_input() -> None:
    check_op(cube, strategies.arrays(), reference=lambda x: x**3, examples=10)


def test_two_inputs_that_broadcast_and_an_attribute() -> None:
    pairs = strategies.broadcastable_shapes(2).flatmap(
        lambda shapes: strategies.calls(*map(strategies.arrays, shapes), scale=2.0)
    )
    check_op(scaled_product, pairs, reference=lambda x, y, scale: scale * x * y, examples=10)


def test_an_elementwise_op_takes_a_mask() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = scaled_product(x, x, scale=3.0, where=np.array([True, False]))
    assert y.tolist() == [3, 0]
    y.sum().backward()
    assert x.grad.tolist() == [6, 0]
    with pytest.raises(TypeError, match="where"):
        cube(x, where=True)


def test_variadic() -> None:
    gradcheck(
        lambda x, y, z: weighted_sum(x, y, z, weights=(1.0, 2.0, 3.0)), [0.5, [1.0, 2.0], 2.0]
    )
    gradgradcheck(lambda x, y: tg.exp(weighted_sum(x, y, weights=(1.0, 2.0))), [0.5, [1.0, 2.0]])


def test_several_outputs() -> None:
    gradcheck(sine_and_cosine, [[0.5, 1.0]])
    gradgradcheck(sine_and_cosine, [[0.5, 1.0]])
    x = tg.tensor([0.5], requires_grad=True)
    s, c = sine_and_cosine(x)
    assert isinstance(s, tg.Tensor) and isinstance(c, tg.Tensor)
    c.backward()  # the other output has no gradient: 0 takes its place
    np.testing.assert_allclose(x.grad.data, -np.sin([0.5]), rtol=1e-6)


def test_axis_is_counted_from_the_end_and_none_is_all() -> None:
    seen = []

    @tg.op
    def spy(x, axis=None, keepdims=False):
        seen.append((axis, keepdims))
        return np.sum(x, axis=axis, keepdims=keepdims)

    x = tg.zeros(2, 3, 4)
    spy(x)
    spy(x, 0)
    spy(x, axis=(0, -1), keepdims=True)
    spy(x, -1, True)
    assert seen == [((-3, -2, -1), False), (-3, False), ((-3, -1), True), (-1, True)]
    with pytest.raises(np.exceptions.AxisError, match="spy: axis 3 for an array of 3 axes"):
        spy(x, axis=3)


def test_the_engine_fits_gradients_to_their_inputs() -> None:
    gradcheck(total, [np.ones((2, 3))])  # the rule's gradient has axes of size 1


def test_on_plain_arrays_and_numbers_nothing_is_wrapped() -> None:
    assert isinstance(cube(np.array([2.0])), np.ndarray)
    assert cube(2.0) == 8.0
    s, _ = sine_and_cosine(np.array([0.0]))
    assert isinstance(s, np.ndarray)


def test_repr_name_and_doc() -> None:
    assert repr(scaled_product) == "<op scaled_product(x, y, scale=...)>"
    assert repr(weighted_sum) == "<op weighted_sum(*xs, weights=...)>"
    assert (
        scaled_product.__doc__ == "scale * x * y." and scaled_product.__name__ == "scaled_product"
    )


def test_not_differentiable() -> None:
    @tg.op(differentiable=False)
    def parity(x):
        return np.floor(x) % 2

    x = tg.tensor([3.5], requires_grad=True)
    y = parity(x)
    assert y.item() == 1 and not y.requires_grad


def test_a_rule_on_tensors_is_recorded() -> None:
    x = tg.tensor([2.0], requires_grad=True)
    y = cube(x)
    for expected in (12.0, 12.0, 6.0):
        (y,) = tg.grad(y, x, create_graph=True)
        assert y.item() == expected


# Wrong declarations


def test_a_missing_rule_is_named_when_it_is_needed() -> None:
    @tg.op
    def half_declared(x, y):
        return x * y

    half_declared.vjp(x=lambda grad, out, x, y: grad * y)
    x, y = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    half_declared(x, y.detach()).backward()
    assert x.grad.item() == 3
    with pytest.raises(TypeError, match=r"half_declared declares no gradient for its input 'y'"):
        half_declared(x, y).backward()


def test_one_rule_for_two_inputs_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"inputs x, y: declare a rule for each.*x=\.\.\., y=\.\.\."
    ):
        scaled_product.vjp(lambda grad, out, x, y, scale: grad)


def test_a_rule_for_no_input_is_refused() -> None:
    with pytest.raises(TypeError, match="cube has no input 'z'; it has x"):
        cube.vjp(z=lambda grad, out, x: grad)


def test_wrong_calls() -> None:
    with pytest.raises(TypeError, match=r"scaled_product\(\): unexpected \['scael'\]"):
        scaled_product(1.0, 2.0, scael=3.0)
    with pytest.raises(TypeError, match=r"weighted_sum\(\): missing \['weights'\]"):
        weighted_sum(1.0, 2.0)
    with pytest.raises(TypeError, match="cube"):
        cube(1.0, 2.0)


def test_a_gradient_of_the_wrong_shape_is_an_error() -> None:
    @tg.op
    def bad(x):
        return x * 2

    bad.vjp(lambda grad, out, x: np.ones(5))
    with pytest.raises(ValueError, match=r"gradient of bad\(float32\[2\]\)"):
        bad(tg.tensor([1.0, 2.0], requires_grad=True)).sum().backward()


def test_a_rule_that_returns_nothing_is_an_error() -> None:
    @tg.op
    def forgetful(x):
        return x * 2

    forgetful.vjp(lambda grad, out, x: None)
    with pytest.raises(TypeError, match=r"gradient of forgetful.*returned None"):
        forgetful(tg.tensor([1.0], requires_grad=True)).backward()


def test_more_attributes_than_there_are() -> None:
    with pytest.raises(TypeError, match=r"total\(\): takes at most 2 arguments, got 3"):
        total(np.ones(2), None, "surplus")


def test_an_attribute_that_is_given_twice_is_refused() -> None:
    with pytest.raises(TypeError, match=r"sum\(\): \['axis'\] given twice"):
        tg.sum(tg.ones(2, 3), 0, axis=1)


def test_an_output_that_numpy_makes_a_scalar_is_an_array_like_any_other() -> None:
    @tg.op
    def ends(x):
        return np.min(x), np.max(x)

    ends.vjp(lambda grad, out, x: grad[0] * (x == out[0]) + grad[1] * (x == out[1]))
    x = tg.tensor([1.0, 5.0, 2.0], requires_grad=True)
    for low, high in (ends(x), ends(x.detach())):
        assert isinstance(low.data, np.ndarray) and low.data.shape == high.data.shape == ()
    first = tg.unstack(x.detach())[0]
    first.data[...] = 7.0
    assert first.item() == 7.0
