"""NumPy's functions on Tensors: recorded as our ops, or refused by name; never silently dropped."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])

CALLS = {
    "tanh": lambda t: np.tanh(t),
    "exp": lambda t: np.exp(t),
    "sum over an axis": lambda t: np.sum(t, axis=0, keepdims=True),
    "mean": lambda t: np.mean(t, axis=-1),
    "var": lambda t: np.var(t, axis=1, ddof=1),
    "max": lambda t: np.max(t, axis=1),
    "amin": lambda t: np.amin(t),
    "prod": lambda t: np.prod(t, axis=0),
    "concatenate": lambda t: np.concatenate([t, t * 2], axis=1),
    "concatenate with an array": lambda t: np.concatenate([t, X]),
    "stack": lambda t: np.stack([t, t], axis=-1),
    "where": lambda t: np.where(X > 0, t, 0.0),
    "maximum": lambda t: np.maximum(t, 0.1),
    "einsum": lambda t: np.einsum("ij,kj->ik", t, t),
    "array @ tensor": lambda t: X @ t.T,
    "array + tensor": lambda t: X + t,
    "scalar - tensor": lambda t: np.float64(2.0) - t,
    "array / tensor": lambda t: X / t,
    "array ** tensor": lambda t: np.abs(X) ** t,
    "reshape": lambda t: np.reshape(t, (3, 2)),
    "transpose": lambda t: np.transpose(t),
    "swapaxes": lambda t: np.swapaxes(t, 0, 1),
    "moveaxis": lambda t: np.moveaxis(t, 0, 1),
    "expand_dims": lambda t: np.expand_dims(t, 1),
    "squeeze": lambda t: np.squeeze(np.expand_dims(t, 1)),
    "broadcast_to": lambda t: np.broadcast_to(t, (2, 2, 3)),
    "flip": lambda t: np.flip(t, 1),
    "pad": lambda t: np.pad(t, ((0, 1), (2, 0))),
    "tile": lambda t: np.tile(t, (2, 1)),
    "repeat": lambda t: np.repeat(t, 2, axis=0),
    "split": lambda t: np.split(t, 3, axis=1)[1],
    "take": lambda t: np.take(t, [1, 0, 1], axis=0),
    "take_along_axis": lambda t: np.take_along_axis(t, np.array([[0], [2]]), axis=1),
    "clip": lambda t: np.clip(t, -0.5, 1.0),
    "cumsum": lambda t: np.cumsum(t, axis=1),
    "norm": lambda t: np.linalg.norm(t, axis=1),
    "outer": lambda t: np.outer(t[0], t[1]),
    "zeros_like": lambda t: np.zeros_like(t) + t,
    "copy": lambda t: np.copy(t),
    "positive": lambda t: +t,
    "dot": lambda t: np.dot(t, t.T),
    "dot with an array": lambda t: np.dot(X, t.T),
    "hstack": lambda t: np.hstack([t, X]),
    "sort": lambda t: np.sort(t, axis=0),
    "arctan2": lambda t: np.arctan2(t, 1.0),
    "ravel": lambda t: np.ravel(t),
    "roll": lambda t: np.roll(t, 1, axis=1),
    "average": lambda t: np.average(t, axis=1, weights=[1.0, 2.0, 3.0]),
    "tensordot": lambda t: np.tensordot(t, X, 2),
    "diff": lambda t: np.diff(t, axis=1),
    "triu": lambda t: np.triu(t),
    "trace": lambda t: np.trace(t),
    "append": lambda t: np.append(t, X),
    "full_like": lambda t: np.full_like(t, 2) * t,
    "where mask": lambda t: np.exp(t, where=X > 0),
}


@pytest.mark.parametrize("name", CALLS)
def test_numpys_function_records(name) -> None:
    call = CALLS[name]
    t = tg.tensor(X, requires_grad=True)
    out = call(t)
    assert isinstance(out, tg.Tensor) and out.requires_grad
    expected = np.where(X > 0, np.exp(X), 0) if name == "where mask" else call(X)
    np.testing.assert_allclose(out.data, expected, rtol=1e-14)
    out.sum().backward()
    assert t.grad.shape == X.shape and np.any(t.grad.data)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("np.linalg.inv", lambda t: np.linalg.inv(t)),
        ("np.percentile", lambda t: np.percentile(t, 5)),
        ("np.fft.fft", lambda t: np.fft.fft(t)),
        ("np.cbrt", lambda t: np.cbrt(t)),
        ("np.unique", lambda t: np.unique(t)),
    ],
)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_a_function_without_a_rule_is_refused_by_name(name, call, requires_grad) -> None:
    t = tg.tensor(X, requires_grad=requires_grad)
    with pytest.raises(TypeError, match=f"{name} has no differentiable rule.*(Use|Declare)"):
        call(t)


def test_a_suggestion_names_something_that_works() -> None:
    with pytest.raises(TypeError, match=r"`np\.sort` and the elements at their places"):
        np.percentile(tg.tensor(X), 5)


def test_out_is_refused() -> None:
    t = tg.tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match=r"out=.*drop the graph"):
        np.add(X, t, out=X.copy())
    a = X.copy()
    with pytest.raises(TypeError, match="drop the graph"):
        a += t
    np.testing.assert_array_equal(a, X)


def test_ufunc_methods_are_refused() -> None:
    t = tg.tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match=r"np\.add\.reduce has no differentiable rule.*np\.sum"):
        np.add.reduce(t)
    with pytest.raises(TypeError, match=r"np\.multiply\.outer"):
        np.multiply.outer(t, t)


def test_an_array_is_not_made_of_a_tensor_that_records() -> None:
    t = tg.tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match=r"drop its graph.*detach"):
        np.asarray(t)
    with pytest.raises(TypeError, match=r"drop its graph.*detach"):
        t.numpy()
    np.testing.assert_array_equal(np.asarray(t.detach()), X)


def test_implements_adds_to_the_table() -> None:
    @tg.implements(np.cbrt)
    @tg.op
    def cbrt(x):
        return np.cbrt(x)

    cbrt.vjp(lambda grad, out, x: grad / (3 * out * out))
    t = tg.tensor(X, requires_grad=True)
    np.cbrt(t).sum().backward()
    np.testing.assert_allclose(t.grad.data, 1 / (3 * np.cbrt(X) ** 2))
