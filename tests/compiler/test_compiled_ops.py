"""Every op of the vocabulary in a step: its loops compile, forward and back, and are NumPy's.

`python -m tests.compiler.test_compiled_ops` prints which do not, and why.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, ops
from tinygrad_rnn.compiler import notices

pytest.importorskip("llvmlite", reason="needs llvmlite")
pytestmark = pytest.mark.usefixtures("compiled")

T, B, H = 4, 3, 4
X = np.random.default_rng(0).standard_normal((T, B, H))

functional = nn.functional


def largest(z):
    return np.argmax(z, axis=-1)


UNARY = """
abs copy cos elu exp expm1 gelu isfinite isinf isnan leaky_relu logical_not logsumexp neg ones_like
rand_like relu sigmoid sign silu sin softplus square tanh zeros_like sum mean max min prod var std
norm all any arcsinh nan_to_num arctan ceil cosh count_nonzero exp2 floor log_sigmoid ptp
randn_like ravel round sinh tan trunc
"""
BINARY = """
add sub mul hadamard div maximum minimum logaddexp greater greater_equal less less_equal equal
not_equal logical_and logical_or logical_xor remainder floor_divide outer arctan2 hypot isclose
"""


@tg.op
def moved(x):
    """An op of a user's that writes to where it reads."""
    out = np.copy(x)
    out[:, 1:] = out[:, :-1]
    return out.cumsum(axis=0) * np.roll(x, 1, axis=1)


@moved.vjp
def _(grad, out, x):
    return grad * np.sin(x)  # no one's gradient, but the same one everywhere


def binary(fn, z):
    return fn(z, z[:, ::-1] + 1.5)


# What is done with z (B, H), which depends on the state. What comes out is summed up.
STEPS = {
    **{name: getattr(tg, name) for name in UNARY.split()},
    **{name: partial(binary, getattr(tg, name)) for name in BINARY.split()},
    "log, log1p, sqrt": lambda z: tg.log(z * z + 0.5) + tg.log1p(z * z) + tg.sqrt(z * z + 0.5),
    "log2, log10, reciprocal": lambda z: (
        tg.log2(z * z + 0.5) + tg.log10(z * z + 0.5) + tg.reciprocal(z * z + 0.5)
    ),
    "arcsin, arccos": lambda z: tg.arcsin(0.9 * tg.tanh(z)) + tg.arccos(0.9 * tg.tanh(z)),
    "arctanh, arccosh": lambda z: tg.arctanh(0.9 * tg.tanh(z)) + tg.arccosh(z * z + 1.5),
    "dstack, array_split": lambda z: tg.dstack(tg.array_split(z, 2, axis=1)) ** 2,
    "round to places": lambda z: z * tg.round(z, decimals=1),
    "cumprod": lambda z: tg.cumprod(z, axis=1) * tg.cumprod(z, axis=0),
    "diff": lambda z: tg.diff(z, prepend=0.0) ** 2,
    "roll": lambda z: tg.roll(z, (1, 2), axis=(0, 1)) ** 2,
    "append": lambda z: tg.append(z, z[:, :1], axis=1) ** 2,
    "full_like": lambda z: z * tg.full_like(z, 2.0),
    "average": lambda z: tg.average(z, axis=1, weights=z * z + 0.1) ** 2,
    "diag, diagonal, trace, tril, triu": lambda z: (
        tg.diag(z[0]) + tg.diagonal(z) ** 2 @ tg.tril(z) @ z.T @ tg.triu(z) * tg.trace(z)
    ),
    "dot, vdot, inner, tensordot": lambda z: (
        tg.dot(z, z[0]) * tg.vdot(z, z) + tg.inner(z, z[1]) * tg.tensordot(z, z, 2)
    ),
    "conv1d": lambda z: tg.conv1d(z[:, None], z[:2, None, :3], padding=1) ** 2,
    "conv2d": lambda z: tg.conv2d(z[None, None], z[None, None, :2, :2], z[0, :1], stride=2) ** 2,
    "hstack, vstack, column_stack": lambda z: (
        tg.hstack([z, z**2]).sum() * tg.vstack([z, z[0]]) ** 2 + tg.column_stack([z[0], z.T]).sum()
    ),
    "pow": lambda z: tg.pow(z * z + 0.5, 1.5),
    "pow of two": lambda z: (z * z + 0.5) ** (z * z),
    "clip": lambda z: tg.clip(z, -0.5, z[:, :1] + 0.3),
    "where": lambda z: tg.where(z > 0.1, z, z[::-1]),
    "astype": lambda z: tg.astype(z * 10, dtype="float32") + tg.astype(z * 10, dtype="int32"),
    "logsumexp of rows": lambda z: tg.logsumexp(z, axis=0),
    "softmax": lambda z: tg.softmax(z) * tg.softmax(z, axis=0),
    "log_softmax": lambda z: tg.log_softmax(z) * tg.log_softmax(z, axis=0),
    "max with ties": lambda z: tg.max(tg.concatenate([z, z], axis=1), axis=1),
    "max of relu": lambda z: tg.max(tg.relu(z), axis=0, keepdims=True) + tg.min(tg.relu(z)),
    "sums": lambda z: z.sum(axis=0) * z.mean(axis=0) + z.sum(axis=(0, 1), keepdims=True),
    "sum of whole numbers": lambda z: z * tg.sum(tg.astype(z * 9, dtype="int64"), axis=0),
    "mean of flags": lambda z: z * tg.mean(z > 0) + z * tg.sum(z > 0, axis=1, keepdims=True),
    "max of whole numbers": lambda z: z * tg.max(tg.astype(z * 9, dtype="int8"), axis=0),
    "var with ddof": lambda z: tg.var(z, axis=0, ddof=1),
    "norm of rows": lambda z: tg.norm(z, axis=-1),
    "prod of rows": lambda z: tg.prod(z, axis=0),
    "cumsum": lambda z: tg.cumsum(z, axis=0) * tg.cumsum(z, axis=1),
    "cumsum of flags": lambda z: z * tg.cumsum(z > 0, axis=1),
    "argmax": lambda z: z * (tg.argmax(z, axis=0) + 0.5),
    "argmax of rows": lambda z: z * (tg.argmax(z, axis=1, keepdims=True) + 0.5),
    "argmin": lambda z: z * (tg.argmin(z, axis=0) + 0.5),
    "argmax with ties": lambda z: z * (tg.argmax(tg.relu(z), axis=0) + 0.5),
    "argmax of flags": lambda z: z * (tg.argmax(z > 0.5, axis=0) + 0.5),
    "getitem": lambda z: z[1:, ::2] * z[0, None, 1] + z[..., -1:].sum(),
    "getitem of known places": lambda z: (
        z[[2, 0, 0]] * z[:, [0, 3, 3, 1]] + z[[0, 1], [2, 3]].sum()
    ),
    "getitem of known flags": lambda z: z[np.array([True, False, True])],
    "getitem of computed places": lambda z: z[:, largest(z)] + z[largest(z) % 3].sum(),
    "getitem of computed pairs": lambda z: z[np.arange(B), largest(z)] * z[0, largest(z)],
    "getitem of places from the end": lambda z: z[:, largest(z) - H],
    "take": lambda z: tg.take(z, largest(z), axis=1) + tg.take(z, [1, 0, -1], axis=0).sum(),
    "take of all": lambda z: tg.take(z, largest(z)),
    "take_along_axis": lambda z: tg.take_along_axis(z, np.argmin(z, axis=1)[:, None], axis=1),
    "index_update": lambda z: tg.index_update(z, (slice(None), [0, 2]), z[:, :2] ** 2),
    "index_update of a slice": lambda z: tg.index_update(z, (slice(None), slice(1, 3)), 0.5) ** 2,
    "index_update of a computed place": lambda z: (
        tg.index_update(z, (np.arange(B), largest(z)), z[:, 0] ** 2) ** 2
    ),
    "index_add": lambda z: tg.index_add(z, (slice(None), [1, 1]), z[:, :2]) ** 2,
    "index_add of a computed place": lambda z: tg.index_add(z, largest(z) % 3, z) ** 2,
    "one_hot": lambda z: z * tg.one_hot(largest(z), H),
    "matmul": lambda z: z @ tg.transpose(z) @ z,
    "matmul of vectors": lambda z: z[0] @ z[1] + (z @ z[0]).sum() + z[:, 0] @ z,
    "matmul of batches": lambda z: z[:, None] @ z[:, :, None],
    "einsum": lambda z: tg.einsum("bi,bj->bij", z, z),
    "einsum of three": lambda z: tg.einsum("bi,bj,cj->c", z, z, z),
    "einsum of a diagonal": lambda z: tg.einsum("ii->i", z[:3, :3]) + tg.einsum("ij->", z),
    "broadcast_to": lambda z: tg.broadcast_to(z[:, :1], (B, 5)) ** 2,
    "concatenate": lambda z: tg.concatenate([z, z**2, z[:, :1]], axis=1) ** 2,
    "stack": lambda z: tg.stack([z, z**2], axis=1) ** 2,
    "unstack": lambda z: tg.unstack(z, axis=1)[1] * tg.unstack(z)[0][0],
    "split": lambda z: tg.split(z, 2, axis=1)[0] * tg.split(z, [1, 3], axis=1)[1],
    "expand_dims": lambda z: tg.expand_dims(z, 1) * tg.expand_dims(z, 0),
    "squeeze": lambda z: tg.squeeze(z[:, :1]) ** 2,
    "moveaxis": lambda z: tg.moveaxis(z[:, :, None] * z[:, None], 0, 2) ** 2,
    "swapaxes": lambda z: np.swapaxes(z[:, :, None] * z[:, None], 0, 1) ** 2,
    "transpose": lambda z: tg.transpose(z)[:, :2] ** 2,
    "reshape": lambda z: tg.reshape(tg.transpose(z), (2, -1)) ** 2,
    "flip": lambda z: tg.flip(z) * tg.flip(z, axis=1),
    "pad": lambda z: tg.pad(z, ((0, 1), (2, 0))) ** 2,
    "tile": lambda z: tg.tile(z, (2, 3)) ** 2,
    "repeat": lambda z: tg.repeat(z, 2, axis=1) ** 2 + tg.repeat(z, [0, 2, 1, 1], axis=1).sum(),
    "sort, median": lambda z: tg.sort(z) ** 2 * tg.median(z, axis=0),
    "argsort": lambda z: z * tg.argsort(z) + tg.argsort(np.where(z > 0.5, np.nan, np.round(z)), 0),
    "an op of a user's": moved,
    "layer_norm": lambda z: functional.layer_norm(z, (H,)),
    "dropout": lambda z: functional.dropout(z, 0.4),
    "noise": lambda z: z + tg.rand_like(z[:, :1]) * tg.rand_like(z),
    "shape, ndim and size": lambda z: z * (tg.ndim(z) + tg.size(z) + tg.shape(z)[0]) * z.size,
}
ON_NUMPY = {  # which have no compiled form, and run in the loop all the same
    "argpartition": lambda z: z * tg.argpartition(z, 1),
    "partition": lambda z: tg.partition(z, 1, axis=0) ** 2,
}
READS_VALUES = {"allclose", "array_equal"}  # Python's bools: such a step runs op by op
MAKE_TENSORS = {
    "arange", "eye", "full", "generator", "manual_seed", "ones", "rand", "randint", "randn",
    "randperm", "zeros",
}  # fmt: skip


# Several in one step, small ones more: to compile one more program takes longer than a larger one.
SMALL = [*UNARY.split(), *BINARY.split()]
LARGE = [name for name in STEPS if name not in SMALL]
GROUPS = [
    *(SMALL[k : k + 8] for k in range(0, len(SMALL), 8)),
    *(LARGE[k : k + 3] for k in range(0, len(LARGE), 3)),
]


def cell_of(names: list[str], kind: type) -> nn.Cell:
    made = [{**STEPS, **ON_NUMPY}[name] for name in names]

    def step(cell, x, h):
        z = x + h @ cell.u
        return tg.tanh(z + 0.1 * sum(cell.weigh(one(z)) for one in made))

    class Cell(kind):
        def weigh(self, result):
            weights = np.cos(np.arange(result.size)).reshape(result.shape).astype(self.u.dtype)
            return (result * weights).sum()

    return Cell(step, hidden_size=H, u=(H, H)).astype("float64")


def test_every_op_is_here() -> None:
    names = {word for name in (*STEPS, *ON_NUMPY) for word in name.replace(",", "").split()}
    assert set(ops.__all__) <= names | MAKE_TENSORS | READS_VALUES


@pytest.mark.parametrize("names", GROUPS, ids=", ".join)
def test_an_op_in_a_step_is_compiled(scans, names) -> None:
    cell = cell_of(names, scans.StepCell)
    scans.both_ways(cell, X)
    assert all(scans.loops(cell))


@pytest.mark.parametrize("name", ON_NUMPY)
def test_an_op_without_a_compiled_form_runs_on_numpy_and_says_so(scans, name) -> None:
    cell = cell_of([name], scans.StepCell)
    with pytest.warns(UserWarning, match="loop on NumPy, not compiled, because of the op arg"):
        scans.both_ways(cell, X)


def main() -> None:
    import warnings

    from tests.compiler import conftest

    tg.set_executor("llvm")
    for name in STEPS:
        notices._texts.clear()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            cell = cell_of([name], conftest.StepCell)
            try:
                conftest.both_ways(cell, X)
            except Exception as error:
                print(f"{name:35} FAILED {type(error).__name__}: {str(error)[:300]}")
                continue
        if not all(conftest.loops(cell)):
            print(name, *{str(w.message) for w in told}, sep="\n      ")


if __name__ == "__main__":
    main()
