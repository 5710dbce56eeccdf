"""jvp and hvp on functions of pytrees: values, several directions at once, and wrong input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

X = np.random.default_rng(0).standard_normal((3, 4))

FUNCTIONS = {
    "elementwise": lambda x: tg.exp(tg.sin(x)) / (1 + x * x),
    "products": lambda x: x @ x.T,
    "shapes": lambda x: tg.concatenate(
        [x.T.reshape(2, 6), x[:2, 1:].sum(0, keepdims=True).sum() * x.reshape(2, 6)]
    ),
    "several outputs": lambda x: [part * part for part in tg.split(x, 2, axis=-1)],
    "reductions": lambda x: tg.softmax(x, axis=-1) * tg.max(x, axis=0),
    "constants": lambda x: (tg.ones(2), x.detach() * x, tg.argmax(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_jvp_is_the_slope_of_a_central_difference(name) -> None:
    f, v = FUNCTIONS[name], np.cos(X)
    out, tangent = tg.jvp(f, tg.tensor(X), v)
    step = 1e-6
    if name == "constants":  # detach() is a constant
        f = lambda x: (tg.ones(2), tg.tensor(X) * x, tg.argmax(x))
    above, below = (tg.pytree.leaves(f(tg.tensor(X + k * step * v))) for k in (1, -1))
    for value, plain, t, a, b in zip(
        tg.pytree.leaves(out),
        tg.pytree.leaves(FUNCTIONS[name](tg.tensor(X))),
        tg.pytree.leaves(tangent),
        above,
        below,
        strict=True,
    ):
        np.testing.assert_array_equal(value.data, plain.data)
        assert not value.requires_grad and not t.requires_grad
        np.testing.assert_allclose(t.data, (a.data - b.data) / (2 * step), rtol=1e-6, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([n for n in FUNCTIONS if n != "constants"]), st.integers(1, 3))
def test_several_directions_at_once_are_each_of_them(name, size) -> None:
    f = FUNCTIONS[name]
    vs = np.random.default_rng(size).standard_normal((size, *X.shape))
    _, together = tg.jvp(f, X, vs)
    for k in range(size):
        _, alone = tg.jvp(f, X, vs[k])
        for one, other in zip(tg.pytree.leaves(together), tg.pytree.leaves(alone), strict=True):
            np.testing.assert_allclose(one.data[k], other.data, rtol=1e-12)


def test_an_hvp_is_the_hessian_times_the_vector() -> None:
    def f(tree):
        return (tg.tanh(tree["a"] @ tree["b"]) ** 2).sum()

    tree = {"a": X, "b": X.T.copy()}
    v = {"b": np.sin(X.T), "a": np.cos(X)}  # keys in another order
    value, product = tg.hvp(f, tree, v)
    assert value.item() == f({k: tg.tensor(a) for k, a in tree.items()}).item()

    def slopes(scale):
        leaves = {k: tg.tensor(a + scale * v[k], requires_grad=True) for k, a in tree.items()}
        return dict(zip(leaves, tg.grad(f(leaves), [*leaves.values()]), strict=True))

    above, below = slopes(1e-5), slopes(-1e-5)
    for key in tree:
        expected = (above[key].data - below[key].data) / 2e-5
        np.testing.assert_allclose(product[key].data, expected, rtol=1e-7, atol=1e-8)


def test_parameters_count_where_f_reads_them() -> None:
    layer = tg.nn.Linear(3, 2).astype("float64")
    x = np.ones((4, 3))
    parameters = tuple(layer.parameters())
    v = tuple(np.ones(p.shape) for p in parameters)
    _, tangent = tg.jvp(lambda *_: layer(x), parameters, v)
    np.testing.assert_allclose(tangent.data, np.full((4, 2), 4.0))
    assert all(p.grad is None for p in parameters)


def test_what_is_held_fixed_and_what_nothing_depends_on() -> None:
    _, tangent = tg.jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, None))
    assert tangent.item() == 5.0
    value, (a, b) = tg.hvp(lambda x, y: x * 3.0, (2.0, 5.0), (1.0, 1.0))
    assert (value.item(), a.item(), b.item()) == (6.0, 0.0, 0.0)
    _, product = tg.hvp(lambda x, y: x * x * y, (2.0, 5.0), (1.0, None))
    assert [p.item() for p in product] == [10.0, 4.0]


def test_orders_by_nesting() -> None:
    def derivative(f):
        return lambda x: tg.jvp(f, x, 1.0, create_graph=True)[1]

    third = derivative(derivative(derivative(tg.sin)))(tg.tensor(0.3, dtype="float64"))
    assert third.item() == pytest.approx(-np.cos(0.3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.jvp(tg.sin, (X,), X), ValueError, "1 primals need as many tangents"),
        (lambda: tg.jvp(tg.sin, X, X[0]), ValueError, "tangent of shape"),
        (lambda: tg.jvp(tg.mul, (X, X), (X, X[None])), ValueError, "same size"),
        (lambda: tg.jvp(tg.sin, {"a": X}, {"b": X}), ValueError, "like the primals"),
        (lambda: tg.jvp(tg.abs, tg.tensor([1, 2]), [1, 0]), TypeError, "int64 has no derivative"),
        (lambda: tg.jvp(lambda x: "text", X, X), TypeError, "must return Tensors"),
        (lambda: tg.hvp(tg.sin, X, X), ValueError, "one element"),
        (lambda: tg.hvp(tg.sum, X, X[None]), ValueError, "one vector"),
        (
            lambda: tg.jvp(lambda x: (y := x * x, tg.grad(y.sum(), x), y)[2], X, X),
            tg.GraphFreedError,
            "retain_graph",
        ),
    ],
)
def test_wrong_input(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
