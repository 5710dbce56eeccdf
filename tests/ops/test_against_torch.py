"""Values and gradients beside PyTorch's, for forms with many cases: products and indexing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject, settings

import tinygrad_rnn as tg
from tinygrad_rnn.testing import strategies as s

torch = pytest.importorskip("torch", reason="needs PyTorch")

rng = np.random.default_rng(0)


def assert_same(ours, theirs, *shapes_or_arrays) -> None:
    """The same value, and the same gradients for the same random cotangent, in float64."""
    arrays = [a if isinstance(a, np.ndarray) else rng.normal(size=a) for a in shapes_or_arrays]
    mine = [tg.tensor(a, requires_grad=True) for a in arrays]
    other = [torch.tensor(a, requires_grad=True) for a in arrays]
    value, expected = ours(*mine), theirs(*other)
    np.testing.assert_allclose(value.data, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    if not expected.requires_grad:
        return
    weights = rng.normal(size=value.shape)
    value.backward(weights)
    expected.backward(torch.tensor(weights))
    for x, y in zip(mine, other, strict=True):
        wanted = np.zeros(x.shape) if y.grad is None else y.grad.numpy()
        found = np.zeros(x.shape) if x.grad is None else x.grad.data
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (6, 3, 4)),
        ((1, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (1, 3, 4)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((5, 0, 3), (3, 4)),
        ((1, 1), (1, 1)),
    ],
)
def test_matmul(x, y) -> None:
    assert_same(lambda a, b: a @ b, lambda a, b: a @ b, x, y)


@pytest.mark.parametrize(
    ("form", "shapes"),
    [
        ("bi,ij->bj", [(4, 2), (2, 3)]),
        ("tbi,ij->tbj", [(2, 4, 2), (2, 3)]),
        ("...i,ij->...j", [(2, 4, 2), (2, 3)]),
        ("bij,bjk,k->bi", [(2, 3, 2), (2, 2, 4), (4,)]),
        ("i,i,i->", [(3,), (3,), (3,)]),
        ("ii->i", [(3, 3)]),
        ("ii->", [(3, 3)]),
        ("iij->ij", [(2, 2, 3)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ba", [(2, 3)]),
        ("ij->", [(2, 3)]),
        ("...ij->...ji", [(2, 3, 4)]),
    ],
)
def test_einsum(form, shapes) -> None:
    assert_same(lambda *xs: tg.einsum(form, *xs), lambda *xs: torch.einsum(form, *xs), *shapes)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (tg.sigmoid, torch.sigmoid),
        (tg.silu, torch.nn.functional.silu),
        (tg.gelu, lambda x: torch.nn.functional.gelu(x, approximate="tanh")),
        (tg.softplus, torch.nn.functional.softplus),
        (lambda x: tg.elu(x, alpha=0.5), lambda x: torch.nn.functional.elu(x, alpha=0.5)),
        (tg.leaky_relu, torch.nn.functional.leaky_relu),
        (lambda x: tg.softmax(x, axis=0), lambda x: torch.softmax(x, 0)),
        (lambda x: tg.log_softmax(x, axis=0), lambda x: torch.log_softmax(x, 0)),
        (lambda x: tg.logsumexp(x, axis=1), lambda x: torch.logsumexp(x, 1)),
        (lambda x: tg.std(x, ddof=1), torch.std),
        (lambda x: tg.cumsum(x, axis=1), lambda x: torch.cumsum(x, 1)),
        (lambda x: tg.norm(x, axis=1), lambda x: torch.linalg.vector_norm(x, dim=1)),
        (lambda x: tg.remainder(x, 0.7), lambda x: torch.remainder(x, 0.7)),
        (tg.prod, torch.prod),
        (lambda x: tg.cumprod(x, axis=1), lambda x: torch.cumprod(x, 1)),
        (lambda x: tg.sort(x, axis=0), lambda x: torch.sort(x, 0).values),
        (lambda x: tg.roll(x, (1, -2), axis=(0, 1)), lambda x: torch.roll(x, (1, -2), (0, 1))),
        (lambda x: tg.diff(x, axis=1), lambda x: torch.diff(x, dim=1)),
        (lambda x: tg.arctan2(x, x[0]), lambda x: torch.arctan2(x, x[0])),
        (lambda x: tg.hypot(x, x[0]), lambda x: torch.hypot(x, x[0])),
        (tg.log_sigmoid, torch.nn.functional.logsigmoid),
        (lambda x: tg.trace(x[:, :3]), lambda x: torch.trace(x[:, :3])),
        (tg.max, torch.amax),
    ],
)
def test_functions(ours, theirs) -> None:
    assert_same(ours, theirs, (3, 4))


@pytest.mark.parametrize("dims", [1, 2])
@given(data=s.st.data())
@settings(max_examples=settings().max_examples * 40 // 100, deadline=None)
def test_convolution(dims, data) -> None:
    draw = data.draw
    few = s.st.integers(1, 3)
    groups, batched = draw(s.st.integers(1, 2)), draw(s.st.booleans())
    each = lambda low, high: draw(s.st.tuples(*[s.st.integers(low, high)] * dims))
    kernel, stride, dilation = each(1, 3), each(1, 3), each(1, 2)
    padding = "same" if set(stride) == {1} and draw(s.st.booleans()) else each(0, 2)
    size = [(k - 1) * d + extra for k, d, extra in zip(kernel, dilation, each(1, 4))]
    x = (*([draw(few)] if batched else []), groups * draw(few), *size)
    weight = (groups * draw(few), x[-dims - 1] // groups, *kernel)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if padding == "same" and any(k % 2 == 0 for k in kernel):
        reject()  # PyTorch warns that it copies
    ours, theirs = (tg.conv1d, torch.conv1d) if dims == 1 else (tg.conv2d, torch.conv2d)
    bias = [weight[:1]] if draw(s.st.booleans()) else []
    assert_same(
        lambda *xs: ours(*xs, **options), lambda *xs: theirs(*xs, **options), x, weight, *bias
    )


@given(s.shapes(min_dims=1).flatmap(lambda sh: s.st.tuples(s.st.just(sh), s.indices(sh))))
@settings(max_examples=settings().max_examples * 60 // 100)
def test_indexing_is_numpys_and_its_gradient_scatters(pair) -> None:
    shape, index = pair
    a = rng.normal(size=shape)
    x = tg.tensor(a, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, a[index])
    weights = rng.normal(size=y.shape)
    y.backward(weights)
    expected = np.zeros(shape)
    np.add.at(expected, index, weights)
    np.testing.assert_allclose(x.grad.data, expected, rtol=1e-15, atol=1e-15)


def test_indices_may_be_tensors() -> None:
    a = rng.normal(size=(3, 2))
    x = tg.tensor(a, requires_grad=True)
    rows, mask = tg.tensor([2, 0]), tg.tensor(a[:, 0]) > 0
    np.testing.assert_array_equal(x[rows].data, a[[2, 0]])
    np.testing.assert_array_equal(x[rows, 1].data, a[[2, 0], 1])
    np.testing.assert_array_equal(x[mask].data, a[a[:, 0] > 0])
    x[mask].sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.repeat((a[:, :1] > 0) * 1.0, 2, axis=1))
