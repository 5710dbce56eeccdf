"""PyTorch's names that work here as they do there: theirs on the left, ours on the right."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import signature
from types import FunctionType
from typing import Any

import numpy as np

from .. import ops
from ..engine.dtypes import get_default_dtype
from ..engine.keywords import takes_axis
from ..engine.primitives.protocol import implements
from ..engine.recording.mode import no_grad
from ..engine.tensor import Tensor, from_numpy, tensor

__all__ = ["BOTH", "FUNCTIONAL", "FUNCTIONS", "METHODS", "MODULE", "PROPERTIES"]

Array = Any


def _aliases(table: dict[str, Any]) -> dict[str, Any]:
    """The table, with functions that have the names they are called by, and take `axis=`."""
    return {
        name: _alias(name, function) if isinstance(function, FunctionType) else function
        for name, function in table.items()
    }


def _alias(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if function.__name__ == "<lambda>":
        function.__name__ = function.__qualname__ = name  # what a TypeError shows
    parameters = signature(function).parameters
    return takes_axis(function) if "dim" in parameters else function


def _ops(names: str) -> dict[str, Callable[..., Any]]:
    """Ops and functions of the same name here and there."""
    return {name: getattr(ops, name) for name in names.split()}


def _sizes(given: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` mean the same."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], tuple | list) else given


@implements("flatten")
def _flatten(t: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    shape = np.shape(t) or (1,)
    first, last = start_dim % len(shape), end_dim % len(shape)
    joined = math.prod(shape[first : last + 1])
    return ops.reshape(t, (*shape[:first], joined, *shape[last + 1 :]))


def _norm(t: Array, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Array:
    if p in (2, "fro"):
        return ops.norm(t, axis=dim, keepdims=keepdim)
    if dim is None and not keepdim:
        t, dim = ops.reshape(t, -1), -1
    return np.linalg.norm(t, p, dim, keepdim)


def _flip(t: Array, *axes: Any, dims: Any = None) -> Array:
    return ops.flip(t, axis=_sizes(axes) if dims is None else dims)


def _chunk(t: Array, chunks: int, dim: int = 0) -> tuple[Array, ...]:
    size = np.shape(t)[dim]
    each = math.ceil(size / chunks) or 1
    return ops.split(t, range(each, size, each), dim)


def _cut(t: Array, dim: int, start: int, stop: int) -> Array:
    return t[(*(slice(None),) * (dim % np.ndim(t)), slice(start, stop))]


def _gather(t: Array, dim: int, index: Array) -> Array:
    for axis, size in enumerate(np.shape(index)):  # which may be smaller along the other axes
        if axis != dim % np.ndim(t) and size != np.shape(t)[axis]:
            t = _cut(t, axis, 0, size)
    return ops.take_along_axis(t, index, dim)


def _expand(t: Array, *sizes: Any) -> Array:
    wanted = _sizes(sizes)
    known = (1,) * (len(wanted) - np.ndim(t)) + np.shape(t)
    return ops.broadcast_to(t, tuple(k if w == -1 else w for w, k in zip(wanted, known)))


def _addmm(t: Array, x: Array, y: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    product = ops.matmul(x, y)
    return (t if beta == 1 else beta * t) + (product if alpha == 1 else alpha * product)


def _transposed(t: Array) -> Array:
    if np.ndim(t) > 2:
        raise ValueError(f"t() transposes matrices; of shape {np.shape(t)} use swapaxes(-1, -2)")
    return ops.transpose(t)


def _to(t: Tensor, target: Any = None, *, dtype: Any = None, **_: Any) -> Tensor:
    target = target if dtype is None else dtype
    if isinstance(target, Tensor):
        target = target.dtype
    if target is None or _is_cpu(target):
        return t
    return t if t.dtype == np.dtype(target) else t.astype(target)


def _is_cpu(target: Any) -> bool:
    """Whether `.to(target)` changes nothing; ValueError for another device."""
    if not isinstance(target, str) or not target.startswith(("cpu", "cuda", "mps", "xpu")):
        return False
    if target.startswith("cpu"):
        return True
    raise ValueError(f"there is no device {target!r}: arrays are in the CPU's memory; leave it out")


# torch.f(x, ...) and x.f(...)
BOTH: dict[str, Callable[..., Any]] = _aliases({
    **_ops("""
        abs add all allclose any arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax
        argmin argsort broadcast_to ceil clip cos cosh count_nonzero cumprod cumsum diag diagonal
        diff
        div dot exp exp2 expm1 floor greater greater_equal hypot inner isclose
        isfinite isinf isnan less less_equal log log10 log1p log2 log_softmax logaddexp
        logical_and logical_not logical_or logical_xor logsumexp matmul maximum mean minimum
        moveaxis mul neg not_equal outer pow prod ravel reciprocal relu remainder
        reshape roll round sigmoid sign sin sinh softmax sqrt square squeeze sub sum
        swapaxes tan tanh trace tril triu trunc vdot
    """),
    "absolute": ops.abs,
    "acos": ops.arccos,
    "addmm": _addmm,
    "amax": lambda t, dim=None, keepdim=False: ops.max(t, axis=dim, keepdims=keepdim),
    "amin": lambda t, dim=None, keepdim=False: ops.min(t, axis=dim, keepdims=keepdim),
    "acosh": ops.arccosh,
    "asin": ops.arcsin,
    "asinh": ops.arcsinh,
    "atanh": ops.arctanh,
    "atan": ops.arctan,
    "atan2": ops.arctan2,
    "bmm": ops.matmul,
    "chunk": _chunk,
    "clamp": ops.clip,
    "clone": ops.copy,
    "concat": lambda tensors, dim=0: ops.concatenate(tensors, dim),
    "divide": ops.div,
    "eq": ops.equal,
    "fix": ops.trunc,
    "flatten": _flatten,
    "flip": _flip,
    "gather": _gather,
    "ge": ops.greater_equal,
    "gt": ops.greater,
    "index_select": lambda t, dim, index: ops.take(t, index, dim),
    "is_floating_point": lambda t: t.dtype.kind == "f",
    "le": ops.less_equal,
    "lerp": lambda t, end, weight: t + weight * (end - t),
    "lt": ops.less,
    "masked_fill": lambda t, mask, value: ops.where(mask, value, t),
    "masked_select": lambda t, mask: t[mask],
    "mm": ops.matmul,
    "movedim": ops.moveaxis,
    "multiply": ops.mul,
    "mv": ops.matmul,
    "narrow": lambda t, dim, start, length: _cut(t, dim, start, start + length),
    "ne": ops.not_equal,
    "negative": ops.neg,
    "norm": _norm,
    "numel": ops.size,
    "permute": lambda t, *dims: ops.transpose(t, _sizes(dims)),
    "repeat_interleave": lambda t, repeats, dim=None: ops.repeat(t, repeats, dim),
    "rsqrt": lambda t: 1 / ops.sqrt(t),
    "select": lambda t, dim, index: ops.take(t, index, dim),
    "sgn": ops.sign,
    "subtract": ops.sub,
    "swapdims": ops.swapaxes,
    "t": _transposed,
    "take_along_dim": lambda t, indices, dim=None: ops.take_along_axis(t, indices, dim),
    "tile": lambda t, *dims: ops.tile(t, _sizes(dims)),
    "true_divide": ops.div,
    "unbind": lambda t, dim=0: ops.unstack(t, dim),
    "unsqueeze": lambda t, dim: ops.expand_dims(t, axis=dim),
})  # fmt: skip

# x.f(...)
METHODS: dict[str, Callable[..., Any]] = {
    name: function for name, function in BOTH.items() if name != "concat"
} | _aliases({
    **{
        name: lambda t, dtype=dtype: t if t.dtype == dtype else t.astype(dtype)
        for name, dtype in {
            "bool": "bool", "double": "float64", "float": "float32", "half": "float16",
            "int": "int32", "long": "int64", "short": "int16",
        }.items()
    },
    "contiguous": lambda t: t,
    "cpu": lambda t: t,
    "dim": ops.ndim,
    "expand": _expand,
    "expand_as": lambda t, other: ops.broadcast_to(t, other.shape),
    "ndimension": ops.ndim,
    "nelement": ops.size,
    "new_full": lambda t, size, value: ops.full(size, value, t.dtype),
    "new_ones": lambda t, *size: ops.ones(*size, dtype=t.dtype),
    "new_tensor": lambda t, data: tensor(data, t.dtype),
    "new_zeros": lambda t, *size: ops.zeros(*size, dtype=t.dtype),
    "reshape_as": lambda t, other: ops.reshape(t, other.shape),
    "to": _to,
    "type_as": lambda t, other: _to(t, other),
    "view": lambda t, *shape: ops.reshape(t, _sizes(shape)),
    "view_as": lambda t, other: ops.reshape(t, other.shape),
    "where": lambda t, condition, other: ops.where(condition, t, other),
})  # fmt: skip

# x.f
PROPERTIES: dict[str, Callable[..., Any]] = _aliases(
    {
        "is_leaf": lambda t: t.op is None,
        "itemsize": lambda t: t.dtype.itemsize,
        "mT": lambda t: ops.swapaxes(t, -1, -2),
        "nbytes": lambda t: t.size * t.dtype.itemsize,
    }
)

# torch.f
FUNCTIONS: dict[str, Any] = BOTH | _aliases({
    "as_tensor": lambda data, dtype=None: (
        _to(data, dtype=dtype) if isinstance(data, Tensor)
        else from_numpy(data) if isinstance(data, np.ndarray) and dtype in (None, data.dtype)
        else tensor(data, dtype)
    ),
    "bool": np.dtype(bool),
    "cat": BOTH["concat"],
    "complex64": np.dtype("complex64"),
    "double": np.dtype("float64"),
    "e": math.e,
    "empty": ops.zeros,
    "empty_like": ops.zeros_like,
    "float": np.dtype("float32"),
    "half": np.dtype("float16"),
    "inf": math.inf,
    "inference_mode": no_grad,
    "int": np.dtype("int32"),
    "is_tensor": lambda x: isinstance(x, Tensor),
    "linspace": lambda start, end, steps, dtype=None: tensor(
        np.linspace(start, end, steps), dtype or get_default_dtype()
    ),
    "long": np.dtype("int64"),
    "nan": math.nan,
    "pi": math.pi,
    "set_printoptions": np.set_printoptions,
    "short": np.dtype("int16"),
    "float16": np.dtype("float16"),
    "float32": np.dtype("float32"),
    "float64": np.dtype("float64"),
    "int8": np.dtype("int8"),
    "int16": np.dtype("int16"),
    "int32": np.dtype("int32"),
    "int64": np.dtype("int64"),
    "uint8": np.dtype("uint8"),
})  # fmt: skip

# torch.nn.functional.f, beside what nn/functional.py has
FUNCTIONAL: dict[str, Callable[..., Any]] = _aliases({
    **_ops("""
        conv1d conv2d elu leaky_relu log_softmax one_hot relu sigmoid silu softmax
        softplus tanh
    """),
    "cosine_similarity": lambda x, y, dim=1, eps=1e-8: (
        ops.sum(x * y, axis=dim)
        / ops.maximum(ops.norm(x, axis=dim) * ops.norm(y, axis=dim), eps)
    ),
    "logsigmoid": ops.log_sigmoid,
    "normalize": lambda x, *, dim=1, eps=1e-12: (
        x / ops.maximum(ops.norm(x, axis=dim, keepdims=True), eps)
    ),
})  # fmt: skip

# module.f(...)
MODULE: dict[str, Callable[..., Any]] = _aliases(
    {
        "add_module": lambda m, name, module: setattr(m, name, module),
        "buffers": lambda m: (buffer for _, buffer in m.named_buffers()),
        "children": lambda m: (child for _, child in m.named_children()),
        "cpu": lambda m: m,
        "double": lambda m: m.astype("float64"),
        "float": lambda m: m.astype("float32"),
        "half": lambda m: m.astype("float16"),
        "register_module": lambda m, name, module: setattr(m, name, module),
        "register_parameter": lambda m, name, parameter: setattr(m, name, parameter),
        "to": lambda m, target=None, *, dtype=None, **_: (
            m
            if (dtype or target) is None or _is_cpu(dtype or target)
            else m.astype(dtype or target)
        ),
    }
)
