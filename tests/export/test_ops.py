"""Every op and every way of indexing, as each library computes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import export, pytree

X = np.random.default_rng(0).uniform(-2, 2, (4, 3, 2)).astype("float32")
INDEX = np.array([2, 0, -1])

OF_ONE = (
    "abs arctan ceil copy cos cosh elu exp exp2 expm1 floor gelu isfinite isinf isnan leaky_relu "
    "log_sigmoid log_softmax logical_not logsumexp max mean min neg norm relu round sigmoid sign "
    "silu sin sinh softmax softplus sort square sum tan tanh trunc arcsinh cumsum argmax argmin "
    "argsort std var flip ravel ones_like zeros_like all any count_nonzero ptp"
)
OF_SMALL = "arcsin arccos arctanh"
OF_POSITIVE = "log log10 log1p log2 reciprocal sqrt arccosh"
OF_TWO = (
    "add arctan2 div equal floor_divide greater greater_equal hypot less less_equal logaddexp "
    "logical_and logical_or logical_xor maximum minimum mul not_equal remainder sub"
)
MODELS: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(tg, name) for name in OF_ONE.split()},
    **{name: lambda x, name=name: getattr(tg, name)(x / 3) for name in OF_SMALL.split()},
    **{name: lambda x, name=name: getattr(tg, name)(1.1 + x * x) for name in OF_POSITIVE.split()},
    **{name: lambda x, name=name: getattr(tg, name)(x, tg.flip(x, 0)) for name in OF_TWO.split()},
    "prod": lambda x: tg.prod(x, axis=-1),
    "median": lambda x: tg.median(x, axis=1),
    "power": lambda x: abs(x) ** 1.5 + x**2,
    "promotion": lambda x: x + (x > 0) + tg.argmax(x, -1)[..., None].astype("int8"),
    "integers": lambda x: (tg.argmax(x, 0) - 2) // 2 + (tg.argmax(x, 0) - 2) % 3,
    "truth": lambda x: ~(x > 0) & (x < 1) | (x > 1.5),
    "where": lambda x: tg.where(x > 0, x, -0.5),
    "where of truth": lambda x: tg.where(x > 0, x > 1, x < -1),
    "clip": lambda x: tg.clip(x, -1, None),
    "concatenate": lambda x: tg.concatenate([x, 2 * x], axis=-1),
    "stack": lambda x: tg.stack([x, 2 * x], axis=-2),
    "split": lambda x: tg.split(x, [1, 2], axis=1)[1],
    "unstack": lambda x: tg.unstack(x, axis=1)[2] - tg.unstack(x, axis=1)[0],
    "pad": lambda x: tg.pad(x, ((1, 0), (0, 2), (0, 0)), constant_values=3.0),
    "tile": lambda x: tg.tile(x, (1, 2, 1)),
    "roll": lambda x: tg.roll(x, 1, axis=1),
    "diff": lambda x: tg.diff(x, axis=1),
    "einsum": lambda x: tg.einsum("tbi,tbj->bij", x, x),
    "einsum with dots": lambda x: tg.einsum("...i,i->...", x, np.ones(2, "float32")),
    "tensordot": lambda x: tg.tensordot(x, np.ones((2, 5), "float32"), 1),
    "matmul": lambda x: x @ x.swapaxes(-1, -2),
    "outer": lambda x: tg.outer(x[0, 0], x[0, 1]),
    "reshape": lambda x: x.reshape(x.shape[0] * x.shape[1], 2),
    "transpose": lambda x: x.transpose(),
    "moveaxis": lambda x: tg.moveaxis(x, 0, -1),
    "squeeze": lambda x: tg.squeeze(x[:1]),
    "broadcast_to": lambda x: tg.broadcast_to(x[:, :1], (len(x), 7, 2)),
    "one_hot": lambda x: tg.one_hot(tg.argmax(x, -1), 4),
    "positions": lambda x: x * tg.arange(len(x)).astype("float32")[:, None, None],
    "softmax of two axes": lambda x: tg.softmax(x, axis=(0, 2)),
    "conv1d": lambda x: tg.conv1d(x, np.ones((5, 3, 2), "float32"), padding=1),
    "conv2d": lambda x: tg.conv2d(x[:, None], np.ones((2, 1, 2, 2), "float32")),
    "triu": lambda x: tg.triu(x[0] @ x[0].T),
    "diagonal": lambda x: tg.diagonal(x[0] @ x[0].T),
    "index": lambda x: x[1],
    "slices": lambda x: x[1:, ::2, None, -1],
    "backwards": lambda x: x[::-1, :0:-1],
    "index array": lambda x: x[:, INDEX],
    "index arrays": lambda x: x[np.array([0, 1]), :, np.array([1, 0])],
    "arrays beside": lambda x: x[:, np.array([[0, 1]]), np.array([1, 0])],
    "array and index": lambda x: x[:, INDEX, 1],
    "take_along_axis": lambda x: tg.take_along_axis(x, tg.argsort(x, 1), 1),
    "index_update": lambda x: tg.index_update(x, (slice(None), 1), 2 * x[:, 0]),
    "index_add": lambda x: tg.index_add(x, (slice(None), np.array([1, 1])), x[:, :2]),
    "update of an element": lambda x: tg.index_update(x, (0, 1, 0), 5.0),
    "a scan": lambda x: tg.scan(lambda s, v: (s + v, tg.tanh(s * v)), x[0], x)[1],
    "a scan without inputs": lambda x: tg.scan(lambda s, _: (s / 2, s), x[0], None, length=4)[1],
    "a scan in a scan": lambda x: tg.scan(
        lambda s, v: (s + tg.scan(lambda r, w: (r * w, r), v[0], v)[0], s), x[0, 0], x
    )[1],
    "backwards in time": lambda x: tg.scan(lambda s, v: (s + v, s), x[0], x, reverse=True),
    "an op of NumPy calls": lambda x: centred(x),
}
AXES = {"a scan in a scan": "time _ _", "update of an element": "_ _ _", "outer": "_ _ _"}


@tg.op
def centred(x: Any) -> Any:
    return x - np.mean(x, axis=-1, keepdims=True)


def by_torch(model: Any, axes: str, folder: Path) -> list[Any]:
    torch = pytest.importorskip("torch", reason="needs torch")
    return pytree.leaves(export.to_torch(model, axes=axes)(torch.tensor(X)))


def by_jax(model: Any, axes: str, folder: Path) -> list[Any]:
    jax = pytest.importorskip("jax", reason="needs jax")
    apply, parameters = export.to_jax(model, axes=axes)
    with jax.disable_jit():
        return pytree.leaves(apply(parameters, X))


def by_onnx(model: Any, axes: str, folder: Path) -> list[Any]:
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    path = folder / "model.onnx"
    (name,) = export.to_onnx(model, path, X, axes=axes)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {name: X})


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("run", [by_torch, by_jax, by_onnx])
def test_an_op_is_the_same_everywhere(
    run: Callable[..., list[Any]], name: str, tmp_path: Path
) -> None:
    model = MODELS[name]
    expected = pytree.leaves(model(tg.tensor(X)))
    found = run(model, AXES.get(name, "time _ _"), tmp_path)
    for ours, theirs in zip(expected, found, strict=True):
        array = np.asarray(theirs)
        assert array.shape == ours.shape
        assert array.dtype.kind == ours.dtype.kind
        np.testing.assert_allclose(array, ours.numpy(), 2e-5, 2e-6)
