"""tg.scan: any function of pytrees, against jax.lax.scan and against the run op by op."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

RNG = np.random.default_rng(0)
quick = settings(
    max_examples=settings().max_examples * 15 // 100 or 1,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)


def step(np_, w, carry, x):
    """A step in the words of NumPy, for either library: several leaves, numbers, integers."""
    total, state = carry
    h, n = state["h"], state["n"]
    h = np_.tanh(h @ w + x["a"] + x["b"][:, None] * total)
    total = 0.5 * total + np_.mean(x["b"])
    ys = {"n": n, "x": x["k"], "y": h * 2.0}  # in the order in which JAX lists leaves
    return (total, {"h": h, "n": n + 1}), ys


def arguments(steps, dtype="float32"):
    draw = RNG.standard_normal
    xs = {
        "a": draw((steps, 2, 3)).astype(dtype),
        "b": draw((steps, 2)).astype(dtype),
        "k": RNG.integers(0, 9, (steps, 2)),
    }
    carry = (np.zeros((), dtype), {"h": draw((2, 3)).astype(dtype), "n": np.zeros((), "int32")})
    return draw((3, 3)).astype(dtype), carry, xs


@pytest.mark.parametrize("steps", [1, 2, 5, 145])
@pytest.mark.parametrize("reverse", [False, True])
def test_values_and_gradients_are_those_of_jax(steps, reverse) -> None:
    jax = pytest.importorskip("jax")
    w, carry, xs = arguments(steps)

    def loss(w, h, a, b):
        init = carry[0], {**carry[1], "h": h}
        seq = {**xs, "a": a, "b": b}
        last, ys = jax.lax.scan(lambda c, x: step(jax.numpy, w, c, x), init, seq, reverse=reverse)
        return (ys["y"] ** 2).sum() + last[0] + last[1]["h"].sum(), (last, ys)

    given_ = w, carry[1]["h"], xs["a"], xs["b"]
    grads, (last, ys) = jax.grad(loss, (0, 1, 2, 3), has_aux=True)(*given_)
    for _ in range(2):
        inputs = [tg.tensor(x, requires_grad=True) for x in given_]
        mine, outs = tg.scan(
            lambda c, x, w=inputs[0]: step(np, w, c, x),
            (carry[0], {**carry[1], "h": inputs[1]}),
            {**xs, "a": inputs[2], "b": inputs[3]},
            reverse=reverse,
        )
        found = tg.grad((outs["y"] ** 2).sum() + mine[0] + mine[1]["h"].sum(), inputs)
        pairs = [
            *zip(tg.pytree.leaves((mine, outs)), jax.tree.leaves((last, ys)), strict=True),
            *zip(found, grads, strict=True),
        ]
        for one, other in pairs:
            one = one.detach().data
            assert one.shape == other.shape and one.dtype.kind == np.asarray(other).dtype.kind
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


FLOATS = ["float16", "float32", "float64", ">f4", ">f8"]
LENGTHS = [1, 2, 5, 128, 145, 300]


@st.composite
def problems(draw) -> dict[str, Any]:
    """dtypes of the weights, of x and of the carry, a memory layout, a length, lengths."""
    return {
        "w": draw(st.sampled_from(FLOATS[1:])),
        "x": draw(st.sampled_from([*FLOATS, "int8", "uint8", "int64", "bool"])),
        "steps": draw(st.sampled_from(LENGTHS)),
        "layout": draw(st.sampled_from(["C", "F", "reversed", "sliced"])),
        "padded": draw(st.booleans()),
        "reverse": draw(st.booleans()),
    }


def laid_out(x, layout):
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "reversed":
        return np.ascontiguousarray(x[::-1])[::-1]
    if layout == "sliced":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return x


@pytest.mark.filterwarnings("ignore:.*because of elements of float16")
@pytest.mark.parametrize("executor", ["numpy", "llvm"])
@quick
@given(problem=problems())
def test_a_scan_is_the_unrolled_run_for_every_dtype_order_layout_and_length(
    executor, problem, compiled
) -> None:
    rng = np.random.default_rng(1)
    x = laid_out(
        (rng.standard_normal((problem["steps"], 3, 4)) * 2).astype(problem["x"]), problem["layout"]
    )
    w = laid_out((0.4 * rng.standard_normal((4, 4))).astype(problem["w"]), problem["layout"])
    wide = np.result_type(x.dtype.newbyteorder("="), w.dtype.newbyteorder("="), np.float32)
    lengths = rng.integers(0, problem["steps"] + 1, 3) if problem["padded"] else None
    results = []
    for unroll in (True, False, False):
        weight = tg.tensor(w, requires_grad=True)
        sequence = tg.from_numpy(x)
        sequence.requires_grad = x.dtype.kind == "f"

        def f(h, x, weight=weight):
            h = tg.tanh(h @ weight + x + (x > 0)).astype(h.dtype)
            return h, (h + x, x)

        h, (y, same) = tg.scan(
            f,
            tg.zeros(3, 4, dtype=wide),
            sequence,
            lengths=lengths,
            reverse=problem["reverse"],
            unroll=unroll,
            executor=executor,
        )
        inputs = [weight, *([sequence] if sequence.requires_grad else [])]
        grads = tg.grad((y * y).sum() + h.sum(), inputs)
        results.append([t.detach().data for t in (h, y, same, *grads)])
    for found in results[1:]:
        for one, other in zip(found, results[0], strict=True):
            assert one.dtype.newbyteorder("=") == other.dtype.newbyteorder("=")
            assert one.shape == other.shape
            scale = float(np.abs(other).max(initial=1.0)) if other.dtype.kind == "f" else 1.0
            eps = 3e-3 if other.dtype.itemsize < 4 else 1e-4 if other.dtype.itemsize < 8 else 1e-9
            np.testing.assert_allclose(
                one.astype(float), other.astype(float), rtol=0, atol=eps * scale
            )


def test_a_carry_of_another_kind_is_an_error_that_says_what_to_do() -> None:
    x = tg.zeros(3, 2)
    with pytest.raises(TypeError, match=r"float32\[2\].*float64\[2\].*astype"):
        tg.scan(lambda h, x: (h.astype("float64"), None), tg.zeros(2), x)
    with pytest.raises(ValueError, match="structure"):
        tg.scan(lambda h, x: ((h, h), None), tg.zeros(2), x)
    with pytest.raises(TypeError, match="pair"):
        tg.scan(lambda h, x: h, tg.zeros(2), x)
    with pytest.raises(ValueError, match="leading axis"):
        tg.scan(lambda h, x: (h, None), tg.zeros(2), (x, tg.zeros(4)))
    with pytest.raises(ValueError, match="pass length"):
        tg.scan(lambda h, x: (h, None), tg.zeros(2))
    with pytest.raises(ValueError, match="axis 0"):
        tg.scan(lambda h, x: (h, None), tg.zeros(2), x, lengths=[1, 2, 3])


def test_no_steps_and_no_xs() -> None:
    h, ys = tg.scan(lambda h, x: (h + x, {"y": h * 2, "n": None}), tg.ones(2), tg.zeros(0, 2))
    assert h.data.tolist() == [1, 1] and ys["y"].shape == (0, 2) and ys["n"] is None
    h, ys = tg.scan(lambda h, _: (h * 2, h), tg.ones(2), length=4)
    assert h.data.tolist() == [16, 16] and ys.data[:, 0].tolist() == [1, 2, 4, 8]
