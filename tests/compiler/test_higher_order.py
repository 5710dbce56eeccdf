"""The gradient of a scan is a scan: gradients of any order and tangents, as unrolled, in loops."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.compiler.runtime.node import Run
from tinygrad_rnn.compiler.step_function import FlatStep

B, H = 3, 4
LENGTHS = np.array([5, 2, 0])

# Steps (weights, carry, x_t) -> (carry, y_t), with what can go wrong: several carries, integers,
# numbers drawn, values that nothing depends on, leaves whose gradient is the same at each step.


def gated(w, carry, x):
    h, c = carry
    z = x @ w["in"] + h @ w["hh"] + w["b"]
    f = tg.sigmoid(z).named("forget gate")
    c = f * c + (1 - f) * tg.tanh(z * 0.5)
    return (f * tg.tanh(c), c), {"h": h + c, "gate": f}


def counting(w, carry, x):
    h, count = carry
    h = tg.where(x > 0, tg.tanh(h @ w["hh"] + x), h * w["b"]) + w["b"]
    return (h, count + 1), h * count


def noisy(w, h, x):
    keep = tg.rand_like(x) > 0.3
    h = tg.tanh((x * keep) @ w["in"] + h @ w["hh"]) + 0.1 * tg.randn_like(h)
    return h, (h**2).sum(-1)


def cubic(w, h, x):
    return w["b"] ** 3 + x, None


STEPS = {
    gated: (np.zeros((B, H)), np.ones((B, H))),
    counting: (np.ones((B, H)), np.zeros((B, 1), np.int64)),
    noisy: np.zeros((B, H)),
    cubic: np.zeros((B, H)),
}
SHAPES = {"in": (H, H), "hh": (H, H), "b": (H,)}


def case(step, dtype, steps, unroll, **options):
    """A loss of the weights and xs, and these."""
    rng = np.random.default_rng(1)
    weights = {
        name: 0.7 * rng.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()
    }
    xs = rng.standard_normal((steps, B, H)).astype(dtype)
    init = pytree.map(lambda a: a.astype(dtype) if a.dtype.kind == "f" else a, STEPS[step])

    def f(weights, xs):
        tg.manual_seed(5)
        final, ys = tg.scan(
            lambda carry, x: step(weights, carry, x), init, xs, unroll=unroll, **options
        )
        results = [r for r in pytree.leaves((final, ys)) if r.dtype.kind == "f"]
        return sum((r * r * r).sum() + r.sum() for r in results)

    return f, (weights, xs)


def directions(primals, seed=2):
    rng = np.random.default_rng(seed)
    return pytree.map(lambda a: rng.standard_normal(a.shape).astype(a.dtype), primals)


def assert_close(found, expected, dtype):
    tolerance = 2e-3 if dtype == np.float32 else 1e-11
    for one, other in zip(pytree.leaves(found), pytree.leaves(expected), strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        scale = max(1.0, np.abs(other.data).max(initial=0))
        np.testing.assert_allclose(one.data, other.data, rtol=0, atol=tolerance * scale)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    step=st.sampled_from([*STEPS]),
    dtype=st.sampled_from([np.float32, np.float64]),
    steps=st.sampled_from([1, 5]),
    executor=st.sampled_from(["numpy", "llvm"]),
    ragged=st.booleans(),
    reverse=st.booleans(),
    checkpoint=st.sampled_from([None, 2]),
)
def test_products_with_hessian_and_jacobian_are_those_of_the_unrolled_run(
    step, dtype, steps, executor, ragged, reverse, checkpoint
):
    options = {
        "reverse": reverse,
        "lengths": np.minimum(LENGTHS, steps) if ragged else None,
        "checkpoint": checkpoint,
        "executor": executor,
    }
    f, primals = case(step, dtype, steps, unroll=False, **options)
    g, _ = case(step, dtype, steps, unroll=True, **options)
    v = directions(primals)
    assert_close(tg.hvp(f, primals, v), tg.hvp(g, primals, v), dtype)
    expected = tg.jvp(g, primals, v)
    assert_close(tg.jvp(f, primals, v), expected, dtype)
    both = pytree.map(lambda a: np.stack([a, -2 * a]), v)
    _, tangents = tg.jvp(f, primals, both)
    assert_close(tangents, tg.stack([expected[1], -2 * expected[1]]), dtype)


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
def test_chunks_of_a_long_sequence(executor, monkeypatch) -> None:
    from tinygrad_rnn.compiler.runtime import chunks

    monkeypatch.setattr(chunks, "ROWS", 9)
    monkeypatch.setattr(chunks, "ELEMENTS", 1)
    chunks.chunks.cache_clear()
    try:
        for checkpoint in (None, 4):
            options = {"executor": executor, "checkpoint": checkpoint}
            f, primals = case(noisy, np.float64, 11, unroll=False, **options)
            g, _ = case(noisy, np.float64, 11, unroll=True)
            v = directions(primals)
            assert_close(tg.hvp(f, primals, v), tg.hvp(g, primals, v), np.float64)
            assert_close(tg.jvp(f, primals, v), tg.jvp(g, primals, v), np.float64)
    finally:
        chunks.chunks.cache_clear()


def test_the_third_order() -> None:
    def third(f, primals):
        leaves = [tg.tensor(a, requires_grad=True) for a in pytree.leaves(primals)]
        loss = f(*pytree.unflatten(primals, leaves))
        for _ in range(2):
            slopes = tg.grad(loss, leaves, create_graph=True, allow_unused=True)
            loss = sum((s * s).sum() for s in slopes if s is not None)
        return tg.grad(loss, leaves, allow_unused=True)

    f, primals = case(counting, np.float64, 4, unroll=False)
    g, _ = case(counting, np.float64, 4, unroll=True)
    assert_close(third(f, primals), third(g, primals), np.float64)


@pytest.mark.parametrize("step", [gated, noisy, counting])
def test_an_hvp_can_be_differentiated(step) -> None:
    """Its scan puts out the states for the backward steps: these have gradients, too."""

    def slopes(unroll: bool):
        f, primals = case(step, np.float64, 4, unroll=unroll)
        given = pytree.map(lambda a: tg.tensor(a, requires_grad=True), primals)
        _, product = tg.hvp(f, given, directions(primals), create_graph=True)
        loss = sum((p * p).sum() for p in pytree.leaves(product))
        return product, tg.grad(loss, pytree.leaves(given), allow_unused=True)

    assert_close(slopes(unroll=False), slopes(unroll=True), np.float64)


def test_a_jvp_can_be_differentiated() -> None:
    f, primals = case(gated, np.float64, 4, unroll=False)
    v = directions(primals)
    given = pytree.map(lambda a: tg.tensor(a, requires_grad=True), primals)
    _, slope = tg.jvp(f, given, v, create_graph=True)
    found = tg.grad(slope, pytree.leaves(given))
    _, expected = tg.hvp(f, primals, v)
    assert_close(list(found), pytree.leaves(expected), np.float64)


def test_no_step_is_run_again_op_by_op(monkeypatch) -> None:
    f, primals = case(gated, np.float64, 5, unroll=False)
    v = directions(primals)
    expected = tg.hvp(f, primals, v), tg.jvp(f, primals, v)

    def refuse(*_):
        raise AssertionError("the step's own code runs")

    monkeypatch.setattr(FlatStep, "__call__", refuse)
    assert_close((tg.hvp(f, primals, v), tg.jvp(f, primals, v)), expected, np.float64)


def test_a_run_leaves_nothing_behind() -> None:
    layer = nn.LSTM(2, 3)
    x = tg.randn(6, 2, 2)
    parameters = tuple(layer.parameters())
    v = tuple(np.ones(p.shape) for p in parameters)

    def loss(*_):
        return (layer(x)[0] ** 2).sum()

    gc.collect()
    gc.disable()
    try:
        before = sum(type(o) is Run for o in gc.get_objects())
        for _ in range(3):
            tg.hvp(loss, parameters, v)
            tg.jvp(loss, parameters, v)
        assert sum(type(o) is Run for o in gc.get_objects()) == before
    finally:
        gc.enable()


def test_an_lstms_products_are_those_of_jax() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    layer = nn.LSTM(3, 4)
    x = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    parameters = tuple(layer.parameters())
    v = tuple(np.cos(np.arange(p.size, dtype=np.float32)).reshape(p.shape) for p in parameters)

    def outputs(weights):
        w_ih, w_hh, b_ih, b_hh = weights

        def body(state, x_t):
            h, c = state
            z = x_t @ w_ih.T + b_ih + h @ w_hh.T + b_hh
            i, f, g, o = jnp.split(z, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((2, 4))
        return jax.lax.scan(body, (zeros, zeros), x)[1]

    @jax.jit
    def expected(weights, v):
        gradient = jax.grad(lambda w: (outputs(w) ** 2).sum())
        return jax.jvp(gradient, (weights,), (v,))[1], jax.jvp(outputs, (weights,), (v,))[1]

    product, tangent = expected(tuple(jnp.asarray(p.data) for p in parameters), v)
    for executor in ("numpy", "llvm"):
        layer.executor = executor
        _, found = tg.hvp(lambda *_: (layer(x)[0] ** 2).sum(), parameters, v)
        for one, other in zip(found, product, strict=True):
            np.testing.assert_allclose(one.data, other, rtol=1e-4, atol=1e-4)
        _, mine = tg.jvp(lambda *_: layer(x)[0], parameters, v)
        np.testing.assert_allclose(mine.data, tangent, rtol=1e-4, atol=1e-5)
