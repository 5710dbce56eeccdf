"""Which values a gradient rule reads is found out for any callable, however it reads them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import StaleValueError

size = 2.0


class Scaling:
    def __init__(self, factor):
        self.factor = factor

    def rule(self, grad, out, x, y):
        return grad * y * self.factor

    def __call__(self, grad, out, x, y):
        return grad * y * self.factor


def through_locals(grad, out, x, y):
    return locals()["grad"] * locals()["y"]


def through_eval(grad, out, x, y):
    return eval("grad * y")


def next_to_a_name_of_an_attribute(grad, out, x, y):
    return grad * y * size


def through_an_inner_function(grad, out, x, y):
    def inner():
        return grad * y

    return inner()


def through_stars(*arguments):
    grad, _, _, y = arguments
    return grad * y


def through_keywords(grad, *inputs, **_):
    return grad * inputs[-1]


def through_another_array(grad, out, x, y):
    return grad * np.asarray(y)


def through_a_method(grad, out, x, y):
    return grad * y.reshape(-1).reshape(y.shape)


def through_a_generator(grad, out, x, y):
    return np.stack([g * part for g, part in zip(grad, y, strict=True)])


def through_an_op(grad, out, x, y):
    return grad * tg.neg(tg.neg(y))


def through_a_slice(grad, out, x, y):
    part = np.zeros_like(grad)
    part[...] = y[:]
    return grad * part


def by_a_branch(grad, out, x, y):
    return grad * out / x if np.all(y == 0) else grad * y


def as_a_number(grad, out, x, y):
    return grad * y if float(np.sum(y)) > 0 else grad * out


def as_an_index(grad, out, x, y):
    return grad * (out / x if np.arange(5)[int(y[0])] == 1 else y)


def through_a_buffer(grad, out, x, y):
    return grad * np.frombuffer(memoryview(y)).reshape(y.shape)


def by_failing(grad, out, x, y):
    if not isinstance(y, np.ndarray):
        raise ValueError("only arrays")
    return grad * y.view(np.ndarray)


READING_Y = [
    Scaling(1.0).rule,
    Scaling(1.0),
    partial(lambda scale, grad, out, x, y: scale * grad * y, 2.0),
    through_locals,
    through_eval,
    next_to_a_name_of_an_attribute,
    through_an_inner_function,
    through_stars,
    through_keywords,
    through_another_array,
    through_a_method,
    through_a_generator,
    through_an_op,
    through_a_slice,
    by_a_branch,
    as_a_number,
    as_an_index,
    through_a_buffer,
    by_failing,
]


def product(rule):
    """An op x * y whose gradient for x is that rule."""

    @tg.op
    def product(x, y):
        return x * y

    product.vjp(x=rule)
    return product


def leaf(*values):
    return tg.tensor(np.array(values), requires_grad=True)


@pytest.mark.parametrize(
    "rule", READING_Y, ids=lambda rule: getattr(rule, "__name__", type(rule).__name__)
)
@pytest.mark.parametrize("shared", [False, True])
def test_a_change_of_what_a_rule_reads_is_noticed(rule, shared) -> None:
    y = np.array([3.0, 4.0])
    y = tg.from_numpy(y) if shared else tg.tensor(y)
    out = product(rule)(leaf(1.0, 2.0), y)
    y += 1
    with pytest.raises(StaleValueError, match="its input 'y'"):
        out.sum().backward()


NOT_READING_Y = {
    "shape": lambda grad, out, x, y: np.reshape(grad, y.shape),
    "ndim": lambda grad, out, x, y: np.expand_dims(grad, y.ndim)[..., 0],
    "size": lambda grad, out, x, y: grad * y.size,
    "len": lambda grad, out, x, y: grad * len(y),
    "dtype": lambda grad, out, x, y: grad.astype(y.dtype),
    "np.shape": lambda grad, out, x, y: grad * np.shape(y)[0] * np.ndim(y) * np.size(y),
    "zeros_like": lambda grad, out, x, y: grad + np.zeros_like(y) + np.ones_like(y),
    "result_type": lambda grad, out, x, y: grad.astype(np.result_type(y, grad)),
    "other": lambda grad, out, x, y: grad * x + out,
    "a branch on the shape": lambda grad, out, x, y: grad if y.shape == (2,) else grad * y,
    "isinstance": lambda grad, out, x, y: grad if isinstance(y, np.ndarray) else grad * y,
}


@pytest.mark.parametrize("rule", NOT_READING_Y.values(), ids=NOT_READING_Y)
@pytest.mark.parametrize("shared", [False, True])
def test_what_a_rule_does_not_read_may_change(rule, shared) -> None:
    y = np.array([3.0, 4.0])
    y = tg.from_numpy(y) if shared else tg.tensor(y)
    out = product(rule)(leaf(1.0, 2.0), y)
    y += 1
    out.sum().backward()


def test_a_rule_is_read_again_for_inputs_of_another_shape() -> None:
    op = product(lambda grad, out, x, y: grad if y.shape == (2,) else grad * y)
    for values in ((3.0, 4.0), (3.0, 4.0, 5.0)):
        y = tg.tensor(np.array(values))
        out = op(leaf(*values), y)
        y += 1
        if len(values) == 2:
            out.sum().backward()
        else:
            with pytest.raises(StaleValueError):
                out.sum().backward()


def test_a_rule_is_read_again_for_other_attributes_and_numbers() -> None:
    @tg.op
    def scaled(x, y, number, *, mode):
        return x * y

    scaled.vjp(
        x=lambda grad, out, x, y, number, mode: grad if mode == "fixed" or number == 0 else grad * y
    )
    for number, mode, reads in ((0, "free", False), (1, "free", True), (1, "fixed", False)):
        y = tg.tensor([1.0, 2.0])
        out = scaled(tg.tensor([1.0, 2.0], requires_grad=True), y, number, mode=mode)
        y += 1
        if reads:
            with pytest.raises(StaleValueError):
                out.sum().backward()
        else:
            out.sum().backward()


def test_a_rule_that_is_declared_anew_is_read_anew() -> None:
    op = product(lambda grad, out, x, y: grad)
    for reads in (False, True):
        y = tg.tensor(np.array([3.0, 4.0]))
        out = op(leaf(1.0, 2.0), y)
        y += 1
        if reads:
            with pytest.raises(StaleValueError):
                out.sum().backward()
        else:
            out.sum().backward()
        op.vjp(x=lambda grad, out, x, y: grad * y)


def test_a_rule_is_traced_once() -> None:
    calls = []
    op = product(lambda grad, out, x, y: calls.append(type(y)) or grad * y)
    for _ in range(3):
        op(leaf(1.0, 2.0), tg.from_numpy(np.array([3.0, 4.0]))).sum().backward()
    assert calls.count(np.ndarray) == 3 and len(calls) == 4


def test_a_rule_is_not_traced_where_nothing_can_have_changed() -> None:
    calls = []
    op = product(lambda grad, out, x, y: calls.append(y) or grad * y)
    op(leaf(1.0, 2.0), tg.tensor(np.array([3.0, 4.0]))).sum().backward()
    assert len(calls) == 1


def test_tracing_changes_nothing_and_draws_no_random_numbers() -> None:
    def rule(grad, out, x, y):
        y[...] = 0.0
        return grad * tg.rand_like(grad)

    array = np.array([3.0, 4.0])
    x = leaf(1.0, 2.0)
    tg.manual_seed(3)
    before = tg.generator().bit_generator.state
    product(rule)(x, tg.from_numpy(array))
    assert tg.generator().bit_generator.state == before
    product(lambda grad, out, x, y: tg.rand_like(grad))(x, tg.from_numpy(array))
    assert tg.generator().bit_generator.state == before and array.tolist() == [3, 4]


def test_a_change_of_one_of_several_outputs_is_noticed() -> None:
    @tg.op
    def both(x):
        return np.exp(x), np.sin(x)

    both.vjp(lambda grad, out, x: grad[0] * out[0] + grad[1] * np.cos(x))
    x = leaf(1.0, 2.0)
    first, second = both(x)
    loss = (first + second).sum()
    with tg.no_grad():
        first.detach()[0] = 7.0
    with pytest.raises(StaleValueError, match="both: its output"):
        loss.backward()


READS = st.sets(st.sampled_from(["out", "x", "y"]))
WAYS = [
    lambda value, grad: grad * value,
    lambda value, grad: grad + np.sum(value) * 0.5,
    lambda value, grad: np.where(value > 0, grad, 2 * grad),
    lambda value, grad: grad * value[::-1],
    lambda value, grad: grad * np.exp(value.T).T,
]


@given(READS, st.sampled_from(WAYS), st.sampled_from(["out", "x", "y"]), st.booleans())
def test_exactly_what_a_random_rule_reads_must_stay(names, way, changed, shared) -> None:
    def rule(grad, out, x, y):
        values = {"out": out, "x": x, "y": y}
        for name in sorted(names):
            grad = way(values[name], grad)
        return grad * out.ndim

    x, y = leaf(1.0, 2.0), tg.tensor(np.array([3.0, 4.0]))
    out = product(rule)(x, y)
    loss = out.sum()
    target = {"out": out, "x": x, "y": y}[changed]
    if shared:
        target.data[...] += 1
    else:
        with tg.no_grad():
            target.detach()[...] = 9.0
    if changed in names:
        with pytest.raises(StaleValueError):
            loss.backward()
    else:
        loss.backward()
