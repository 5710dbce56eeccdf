"""Tensor: what it holds, what it says, how Python sees it."""

from __future__ import annotations

import copy
import operator
import pickle

import numpy as np
import pytest

import tinygrad_rnn as tg


def test_attributes() -> None:
    t = tg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    assert t.shape == (2, 3) and t.ndim == 2 and t.size == 6 and len(t) == 2
    assert t.dtype == np.float64 and t.requires_grad and t.is_leaf and t.grad is None
    np.testing.assert_array_equal(t.T.data, t.data.T)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.0, np.float32),
        ([1.0, 2], np.float32),
        ([[1], [2]], np.int64),
        (True, np.bool_),
        ([], np.float32),
        (np.float64(1.0), np.float64),
        (np.float16(1.0), np.float16),
        ([np.float64(1.0), np.float64(2.0)], np.float64),
        ([np.zeros(2), np.ones(2)], np.float64),
        (np.zeros(2, np.int32), np.int32),
    ],
)
def test_dtype_rules(data, dtype) -> None:
    assert tg.tensor(data).dtype == dtype


def test_a_given_dtype_wins() -> None:
    assert tg.tensor([1, 2], dtype="float64").dtype == np.float64
    assert tg.tensor(np.zeros(2), dtype=np.float32).dtype == np.float32


def test_default_dtype() -> None:
    tg.set_default_dtype(np.float64)
    try:
        assert tg.tensor(1.0).dtype == tg.zeros(1).dtype == tg.get_default_dtype() == np.float64
    finally:
        tg.set_default_dtype(np.float32)
    with pytest.raises(TypeError, match="must be floating"):
        tg.set_default_dtype("int64")


@pytest.mark.parametrize("data", ["text", [None], {"a": 1}, object()])
def test_what_is_no_number_is_refused(data) -> None:
    with pytest.raises(TypeError, match="a tensor holds numbers"):
        tg.tensor(data)


def test_tensor_copies_and_from_numpy_shares() -> None:
    a = np.zeros(2)
    copied, shared = tg.tensor(a), tg.from_numpy(a)
    a[0] = 5
    assert copied.data[0] == 0 and shared.data[0] == 5
    assert np.shares_memory(shared.numpy(), a)
    with pytest.raises(TypeError, match=r"tg\.tensor"):
        tg.from_numpy([1.0])


def test_a_tensor_of_a_tensor_is_a_leaf() -> None:
    x = tg.tensor([1.0], requires_grad=True)
    y = tg.tensor(x * 2)
    assert y.is_leaf and not y.requires_grad and not np.shares_memory(y.data, x.data)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: x, "tensor([1., 2.], dtype=float32, requires_grad=True)"),
        (lambda x: x * 2, "tensor([2., 4.], dtype=float32, op=mul)"),
        (lambda x: x.detach(), "tensor([1., 2.], dtype=float32)"),
        (lambda x: (x + 0).named("gate"), "tensor([1., 2.], dtype=float32, op=add, name='gate')"),
        (lambda x: tg.split(x, 2)[0], "tensor([1.], dtype=float32, op=output)"),
        (lambda x: x > 1, "tensor([False,  True], dtype=bool)"),
        (lambda x: x.sum(), "tensor(3., dtype=float32, op=sum)"),
    ],
)
def test_repr(make, text) -> None:
    assert repr(make(tg.tensor([1.0, 2.0], requires_grad=True))) == text


def test_items() -> None:
    t = tg.tensor([[2.5]])
    assert t.item() == 2.5 and float(t) == 2.5 and int(t) == 2 and bool(t)
    assert t.tolist() == [[2.5]]
    assert [10, 20, 30][tg.tensor(1)] == 20
    with pytest.raises(ValueError, match="one element"):
        tg.zeros(2).item()


def test_iteration() -> None:
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * second).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[3, 4], [1, 2]])
    with pytest.raises(TypeError, match="0-d"):
        iter(tg.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        len(tg.tensor(1.0))


def test_numpy_refuses_to_leave_the_graph() -> None:
    x = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="detach"):
        x.numpy()
    assert x.detach().numpy() is x.data


def test_detach_shares_and_stops_gradients() -> None:
    x = tg.tensor([3.0], requires_grad=True)
    (x * x.detach()).backward()
    assert x.grad.item() == 3.0 and np.shares_memory(x.detach().data, x.data)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_data_that_is_assigned_keeps_its_dtype_as_in_pytorch(dtype, requires_grad) -> None:
    x = tg.tensor([1.0, 0.0], requires_grad=requires_grad)
    new = np.array([1, 0], dtype)
    if requires_grad and new.dtype.kind != "f":
        with pytest.raises(TypeError, match="floating"):
            x.data = new
        assert x.dtype == np.float32
        return
    x.data = new
    assert x.dtype == dtype and x.data is new
    x.data = tg.tensor(new)
    assert x.dtype == dtype and x.tolist() == [1, 0]


def test_data_that_does_not_fit_is_refused() -> None:
    x = tg.tensor([1.0, 2.0])
    for value in ([1.0, 2.0], 1.0, "ab"):
        with pytest.raises(TypeError, match="data is an ndarray or a Tensor"):
            x.data = value
    with pytest.raises(TypeError, match="holds numbers"):
        x.data = np.array(["a", "b"])
    with pytest.raises(ValueError, match=r"shape \(3,\) for a tensor of shape \(2,\)"):
        x.data = np.zeros(3)


def test_tensors_are_hashed_by_identity() -> None:
    x, y = tg.zeros(1), tg.zeros(1)
    assert len({x, y, x}) == 2


def test_deepcopy() -> None:
    x = tg.tensor([1.0], requires_grad=True).named("w")
    (x * 2).backward()
    other = copy.deepcopy(x)
    other.data[0] = 9
    assert x.item() == 1 and other.requires_grad and other.name == "w" and other.grad.item() == 2
    with pytest.raises(RuntimeError, match=r"result of mul: detach\(\)"):
        copy.deepcopy(x * 2)


ARITHMETIC = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


@pytest.mark.parametrize("op", ARITHMETIC, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [2.0, 2, np.float32(1.5), np.array([1.5, 0.5], np.float32), "t"])
def test_operators_and_their_reflected_forms(op, other) -> None:
    a = np.array([1.5, 2.25], np.float32)
    x = tg.tensor(a)
    raw = np.array([2.5, 3.0], np.float32) if isinstance(other, str) else other
    mine = tg.tensor(raw) if isinstance(other, str) else other
    for found, expected in ((op(x, mine), op(a, raw)), (op(mine, x), op(raw, a))):
        assert isinstance(found, tg.Tensor) and found.dtype == expected.dtype
        np.testing.assert_array_equal(found.data, expected)


def test_matmul_operator_and_reflected() -> None:
    a, b = np.ones((2, 3), np.float32), np.full((3, 2), 2, np.float32)
    for found in (tg.tensor(a) @ b, a @ tg.tensor(b), tg.tensor(a) @ tg.tensor(b)):
        np.testing.assert_array_equal(found.data, a @ b)


def test_unary_and_logical_operators() -> None:
    x = tg.tensor([1.0, -2.0])
    assert (-x).tolist() == [-1, 2] and (+x).tolist() == [1, -2] and abs(x).tolist() == [1, 2]
    p, q = x > 0, x < 2
    assert (p & q).tolist() == [True, False] and (p | q).tolist() == [True, True]
    assert (~p).tolist() == [False, True]


@pytest.mark.parametrize(
    "name",
    ["exp", "log", "sqrt", "tanh", "abs", "sigmoid", "relu", "copy", "flatten"],
)
def test_methods_are_the_functions_of_that_name(name) -> None:
    x = tg.tensor([[0.5, 2.0]], requires_grad=True)
    found = getattr(x, name)()
    expected = tg.reshape(x, -1) if name == "flatten" else getattr(tg, name)(x)
    assert found.requires_grad
    np.testing.assert_array_equal(found.data, expected.data)


def test_methods_with_arguments() -> None:
    a = np.arange(6.0).reshape(2, 3)
    x = tg.tensor(a)
    for name in ("sum", "mean", "prod", "max", "min", "var", "std"):
        for axis in (None, 0, -1, (0, 1)):
            for keepdims in (False, True):
                found = getattr(x, name)(axis, keepdims=keepdims).data
                expected = getattr(np, name)(a, axis, keepdims=keepdims)
                np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == x.reshape(3, -1).shape == (3, 2)
    assert x.transpose().shape == x.transpose(1, 0).shape == x.transpose((1, 0)).shape == (3, 2)
    assert x.swapaxes(0, 1).shape == (3, 2) and x.reshape(1, 6).squeeze().shape == (6,)
    assert x.argmax().item() == 5 and x.argmin(axis=1).tolist() == [0, 0]
    assert x.clip(1, 3).tolist() == np.clip(a, 1, 3).tolist()
    assert x.cumsum(1).tolist() == np.cumsum(a, 1).tolist()
    np.testing.assert_allclose(x.softmax().data.sum(-1), 1)
    np.testing.assert_allclose(np.exp(x.log_softmax(0).data).sum(0), 1)


def test_grad_can_be_set_and_must_fit() -> None:
    x = tg.zeros(2, requires_grad=True)
    x.grad = np.ones(2, np.float32)
    assert isinstance(x.grad, tg.Tensor)
    with pytest.raises(ValueError, match=r"shape \(3,\) for a tensor of shape \(2,\)"):
        x.grad = tg.zeros(3)
    x.zero_grad()
    assert x.grad is None


def test_requires_grad_needs_a_floating_leaf() -> None:
    with pytest.raises(TypeError, match=r"int64.*astype"):
        tg.tensor([1], requires_grad=True)
    y = tg.tensor(1.0, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match=r"result of mul: use detach\(\)"):
        y.requires_grad_(False)


def pickled(t):
    return pickle.loads(pickle.dumps(t))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("later", [False, True])
def test_a_copy_of_a_leaf_is_a_node_of_its_own(copied, later) -> None:
    """Nodes are told apart, and put in order, by their numbers: no two share one."""
    x = tg.tensor([2.0], requires_grad=True).named("x")
    if later:  # as one that was pickled in a process that had made more nodes
        x.number += 10**6
    y = copied(x)
    (x * y * y * y).sum().backward()
    assert (y.name, y.requires_grad, type(y)) == ("x", True, type(x))
    assert x.grad.tolist() == [8.0] and y.grad.tolist() == [24.0]


def test_a_copy_has_the_gradient_and_a_deep_one_shares_nothing() -> None:
    x = tg.nn.Parameter(np.ones(2, np.float32))
    (x * 3).sum().backward()
    for copied in (copy.copy, copy.deepcopy, pickled):
        y = copied(x)
        assert y.grad.tolist() == [3.0, 3.0]
        assert np.shares_memory(y._data, x._data) == (copied is copy.copy)
        assert np.shares_memory(y.grad._data, x.grad._data) == (copied is copy.copy)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_recorded_tensor_is_not_copied(copied) -> None:
    with pytest.raises(RuntimeError, match=r"only leaves.*result of mul.*detach\(\)"):
        copied(tg.tensor([2.0], requires_grad=True) * 2)


def test_a_hook_cannot_write_into_a_gradient_that_others_have_too() -> None:
    a, b = (tg.tensor([1.0], requires_grad=True) for _ in range(2))
    total = a + b  # both have its gradient, the same array

    def doubles(grad):
        grad *= 2

    remove = b.register_hook(doubles)
    with pytest.raises(ValueError, match="read-only"):
        (total * tg.tensor([3.0])).sum().backward()
    remove()
    seen = []
    b.register_hook(seen.append)
    (a + b).backward(tg.ones(1))
    assert seen[0].tolist() == [1.0] and not seen[0].requires_grad
