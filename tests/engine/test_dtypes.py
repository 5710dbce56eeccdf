"""A float32 graph stays float32, through every op and every gradient."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg

X = np.array([[0.5, 1.25, 2.0], [0.75, 1.5, 0.25]], np.float32)

CHAINS = {
    "python scalars": lambda x: 2 * x + 1.5 - x / 3 + x**2 + 0.5**x + 2.0 / x,
    "numpy reductions": lambda x: x.mean() + x.var() + x.std() + x.sum() / x.size + x.prod(),
    "activations": lambda x: tg.gelu(x) + tg.silu(x) + tg.elu(x) + tg.softplus(x) + tg.sigmoid(x),
    "exponentials": lambda x: tg.logsumexp(x) + tg.log_softmax(x) * tg.softmax(x) + tg.log1p(x),
    "products": lambda x: (
        (x @ x.T).sum() + tg.einsum("ij,ij->i", x, x).sum() + tg.outer(x, x)[0, 0]
    ),
    "shapes": lambda x: tg.pad(tg.tile(x, (2, 1)), 1)[1:3, 1:4] + tg.flip(tg.repeat(x, 1, axis=0)),
    "picks": lambda x: (
        tg.where(x > 1, x, 0) + tg.clip(x, 0.4, 1.3) + tg.maximum(x, 1.0) + x[[1, 0]]
    ),
    "norms": lambda x: tg.norm(x) + tg.sqrt(x) + tg.leaky_relu(x) + tg.remainder(x, 0.7),
    "updates": lambda x: tg.index_update(x, 0, 5.0) + tg.index_add(x, [1, 1], 1.0),
    "masked": lambda x: tg.log(x, where=x > 0.5) + tg.cumsum(x, axis=1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("name", CHAINS)
def test_dtype_is_kept(name, dtype) -> None:
    x = tg.tensor(X.astype(dtype), requires_grad=True)
    y = CHAINS[name](x)
    assert y.dtype == dtype
    (first,) = tg.grad(y.sum(), x, create_graph=True)
    assert first.dtype == dtype
    if first.requires_grad:
        assert tg.grad(first.sum(), x, allow_unused=True)[0].dtype == dtype
    CHAINS[name](x).sum().backward()
    assert x.grad.dtype == dtype


def test_mixed_dtypes_promote_and_each_gradient_is_its_inputs() -> None:
    x = tg.tensor(np.float32([1, 2]), requires_grad=True)
    y = tg.tensor(np.float64([3, 4]), requires_grad=True)
    z = x * y
    assert z.dtype == np.float64
    z.sum().backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64


def test_integers_become_floats_where_numpy_says_so() -> None:
    n = tg.tensor([1, 2])
    assert (n + 1).dtype == np.int64 and (n / 2).dtype == np.float64
    assert (n * tg.tensor([0.5, 0.5])).dtype == np.float64


def test_integer_inputs_get_no_gradient() -> None:
    n, x = tg.tensor([1, 2]), tg.tensor([1.0, 2.0], requires_grad=True)
    (n * x).sum().backward()
    assert n.grad is None and x.grad.tolist() == [1, 2]


@tg.op
def truncated(x):
    return x.astype("int64")


truncated.vjp(lambda grad, out, x: grad)


@pytest.mark.parametrize(
    "cast",
    [
        lambda x: x.astype("int64"),
        lambda x: x.astype("bool"),
        lambda x: tg.sum(x.astype("int8"), keepdims=True),
        lambda x: tg.split(x.astype("int64"), 1)[0],
        truncated,
    ],
)
def test_what_is_not_floating_is_a_constant(cast) -> None:
    x = tg.tensor([2.5], requires_grad=True)
    n = cast(x)
    assert not n.requires_grad and n.is_leaf
    (3.0 * n * x).sum().backward()
    assert x.grad.tolist() == [3.0 * float(n.item())]
