"""NumPy's functions take their arguments in NumPy's order: the result is NumPy's, or an error."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.primitives.protocol import FUNCTIONS

X = np.arange(1.0, 13).reshape(3, 4)[::-1] % 7 + 0.25

INPUTS = {  # what a function needs beside one array
    np.full_like: (X, 2.0),
    np.take: (X, np.array([1, 0])),
    np.take_along_axis: (X, np.argsort(X, axis=-1)),
    np.split: (X, 1),
    np.pad: (X, 1),
    np.tile: (X, 2),
    np.repeat: (X, 2),
    np.outer: (X[0], X[1]),
    np.dot: (X, X.T),
    np.vdot: (X[0], X[1]),
    np.inner: (X, X),
    np.tensordot: (X, X.T),
    np.partition: (X, 1),
    np.argpartition: (X, 1),
    np.where: (X > 2, X, X),
    np.roll: (X, 1),
    np.append: (X, X),
    np.reshape: (X, (4, 3)),
    np.swapaxes: (X, 0, 1),
    np.moveaxis: (X, 0, 1),
    np.expand_dims: (X, 0),
    np.squeeze: (X[None],),
    np.broadcast_to: (X, (2, 3, 4)),
    np.isclose: (X, X),
    np.allclose: (X, X),
    np.array_equal: (X, X),
    np.clip: (X,),
    np.cross: (X[:, :3], X[:, 1:]),
}
for _name in ("concatenate", "stack", "hstack", "vstack", "column_stack"):
    INPUTS[getattr(np, _name)] = ([X, X],)

VALUES = {  # of options, those that are not the default
    "axis": 1, "dtype": np.float32, "keepdims": True, "ddof": 1, "correction": 1, "ord": 1,
    "offset": 1, "axis1": 1, "axis2": 0, "k": 1, "mode": "clip", "axes": 1, "n": 2, "decimals": 1,
    "shape": (2, 2), "order": "F", "copy": False, "a_min": 2.0, "a_max": 3.0, "min": 2.0,
    "max": 3.0, "initial": 3.0, "where": X > 2, "rtol": 1.0, "atol": 1.0, "equal_nan": True,
    "weights": X, "returned": True, "kind": "stable", "stable": True, "casting": "unsafe",
    "subok": False, "out": None, "device": None, "prepend": X[:, :1], "append": X[:, :1],
    "mean": X.mean(keepdims=True),
}  # fmt: skip


def signature_of(function):
    try:
        return inspect.signature(function)
    except ValueError:  # in NumPy 2.0 some of C's functions tell none
        return None


FUNCTIONS_OF_NUMPY = [
    function
    for function in FUNCTIONS
    if callable(function) and not isinstance(function, np.ufunc) and signature_of(function)
]


def as_tensors(value):
    if isinstance(value, list):
        return [tg.tensor(part) for part in value]
    return tg.tensor(value) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def plain(result):
    if isinstance(result, tuple | list):
        return [plain(part) for part in result]
    return result.numpy() if isinstance(result, tg.Tensor) else np.asarray(result)


def check(function, args, kwargs, refusable=True) -> None:
    try:
        expected = function(*args, **kwargs)
    except Exception:
        return  # not a call that NumPy takes
    try:
        found = function(as_tensors(args[0]), *map(as_tensors, args[1:]), **kwargs)
    except (TypeError, ValueError, NotImplementedError):
        assert refusable
        return
    one, other = plain(found), plain(expected)
    pairs = zip(one, other, strict=True) if isinstance(one, list) else [(one, other)]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=f"{function.__name__}{kwargs}")


@pytest.mark.parametrize("function", FUNCTIONS_OF_NUMPY, ids=lambda f: f.__name__)
def test_each_option_by_position_and_by_name_is_that_of_numpy(function) -> None:
    needed = INPUTS.get(function, (X,))
    parameters = list(signature_of(function).parameters.values())
    check(function, needed, {}, refusable=False)
    by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    args = list(needed)
    for parameter in by_position[len(needed) :]:
        args.append(VALUES.get(parameter.name, parameter.default))
        check(function, tuple(args), {})
        filler = [p.default for p in by_position[len(needed) : len(args) - 1]]
        check(function, (*needed, *filler, args[-1]), {})
    for parameter in parameters[len(needed) :]:
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.VAR_KEYWORD):
            check(function, needed, {parameter.name: VALUES.get(parameter.name)})


def test_the_calls_that_were_silently_another() -> None:
    v = tg.tensor([3.0, 4.0])
    m = tg.tensor(X)
    for call in (
        lambda: np.linalg.norm(m, 1),
        lambda: np.linalg.norm(v, 0),
        lambda: np.linalg.norm(m, 3, 1),
        lambda: np.prod(m, 0, np.float64),
        lambda: np.sum(m, 0, np.float64),
        lambda: np.sum(m, where=X > 2),
        lambda: np.max(m, initial=3.0),
    ):
        with pytest.raises(TypeError, match="of a Tensor has no"):
            call()
    for x, order, axis in (
        (X, None, 1), (X, "fro", None), (X, 1, 0), (X, np.inf, 1), (X, -np.inf, 0), (X[0], 1, None),
        (X[0], 2, None), (X, 2, 1),
    ):  # fmt: skip
        found = np.linalg.norm(tg.tensor(x), order, axis)
        np.testing.assert_allclose(found.data, np.linalg.norm(x, order, axis))
    np.testing.assert_allclose(np.var(m, 0, None, None, 1).data, np.var(X, 0, None, None, 1))
    np.testing.assert_allclose(np.clip(m, a_min=2.0, a_max=3.0).data, np.clip(X, 2.0, 3.0))
    np.testing.assert_allclose(np.clip(m, None, 3.0).data, np.clip(X, None, 3.0))
    np.testing.assert_allclose(np.sum(a=m, axis=0).data, X.sum(axis=0))


@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_the_gradient_of_the_std_of_a_constant_is_zero(shape) -> None:
    x = tg.tensor(np.full(shape, 2.5), requires_grad=True)
    spread = np.std(x, axis=-1)
    assert not spread.data.any()
    spread.sum().backward()
    np.testing.assert_array_equal(x.grad.data, 0)
    assert np.isnan(tg.std(tg.tensor([1.0, np.nan])).item())
