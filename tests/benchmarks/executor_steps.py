"""Steps for the benchmark of the executors: every op, and every layout of product.

Each is a function of the state h (B, H), H a multiple of 64, and returns an array of its shape.
Those of products take weights, too. The name of a step starts with that of the op that it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

__all__ = ["HEADS", "PRODUCTS", "STEPS"]

HEADS = 4


def positive(h: Any) -> Any:
    return 1.5 + h


def heads(h: Any) -> Any:
    return tg.reshape(h, (h.shape[0], HEADS, -1))


def flat(heads: Any) -> Any:
    return tg.reshape(heads, (heads.shape[0], -1))


def weighted(h: Any) -> Any:
    return tg.average(h, axis=-1, weights=np.linspace(0, 1, h.shape[-1], dtype=h.dtype))


ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    "mul": lambda h: h * 0.9,
    "add": lambda h: h + 0.1,
    "sub": lambda h: 0.1 - h,
    "neg": lambda h: -h,
    "div": lambda h: h / positive(h),
    "tanh": tg.tanh,
    "sigmoid": tg.sigmoid,
    "relu": tg.relu,
    "leaky_relu": tg.leaky_relu,
    "elu": tg.elu,
    "silu": tg.silu,
    "gelu": tg.gelu,
    "softplus": tg.softplus,
    "log_sigmoid": tg.log_sigmoid,
    "exp": tg.exp,
    "exp2": tg.exp2,
    "expm1": tg.expm1,
    "log": lambda h: tg.log(positive(h)),
    "log1p": lambda h: tg.log1p(positive(h)),
    "log2": lambda h: tg.log2(positive(h)),
    "logaddexp": lambda h: tg.logaddexp(h, 0.5 * h),
    "sqrt": lambda h: tg.sqrt(positive(h)),
    "square": tg.square,
    "pow, 3": lambda h: h**3,
    "pow, 1.7": lambda h: positive(h) ** 1.7,
    "pow, of itself": lambda h: positive(h) ** h,
    "reciprocal": lambda h: np.reciprocal(positive(h)),
    "log10": lambda h: tg.log10(positive(h)),
    "sin": tg.sin,
    "cos": tg.cos,
    "tan": tg.tan,
    "sinh": tg.sinh,
    "cosh": tg.cosh,
    "arctan": tg.arctan,
    "arctan2": lambda h: tg.arctan2(h, positive(h)),
    "arcsin": lambda h: tg.arcsin(0.9 * h),
    "arccos": lambda h: tg.arccos(0.9 * h),
    "arcsinh": tg.arcsinh,
    "arccosh": lambda h: tg.arccosh(1.0 + positive(h)),
    "arctanh": lambda h: tg.arctanh(0.9 * h),
    "hypot": lambda h: tg.hypot(h, 0.5),
    "abs": tg.abs,
    "sign": tg.sign,
    "maximum": lambda h: tg.maximum(h, 0.1),
    "clip": lambda h: np.clip(h, -0.5, 0.5),
    "where": lambda h: tg.where(h > 0, h, 0.1 * h),
    "minimum": lambda h: tg.minimum(h, 0.1),
    "remainder": lambda h: h % 0.7,
    "floor_divide": lambda h: h + 0.1 * (h // 0.3),
    "floor": lambda h: h - tg.floor(h),
    "ceil": lambda h: h - tg.ceil(h),
    "trunc": lambda h: h - tg.trunc(3 * h),
    "round": lambda h: h - tg.round(h),
    "round, decimals": lambda h: h - tg.round(h, 1),
    "nan_to_num": tg.nan_to_num,
    "isnan": lambda h: h * tg.isnan(h),
    "isinf": lambda h: h + tg.isinf(h),
    "isfinite": lambda h: h * tg.isfinite(h),
    "isclose": lambda h: h * tg.isclose(h, 0.5, rtol=0.5),
    "equal": lambda h: h + tg.equal(h, 0.0),
    "not_equal": lambda h: h * tg.not_equal(h, 0.0),
    "greater": lambda h: h * tg.greater(h, 0.2),
    "greater_equal": lambda h: h * tg.greater_equal(h, 0.2),
    "less": lambda h: h * tg.less(h, 0.2),
    "less_equal": lambda h: h * tg.less_equal(h, 0.2),
    "logical_and": lambda h: h * tg.logical_and(h > -0.5, h < 0.5),
    "logical_or": lambda h: h * tg.logical_or(h < -0.5, h > 0.5),
    "logical_xor": lambda h: h * tg.logical_xor(h < 0.5, h > -0.5),
    "logical_not": lambda h: h * tg.logical_not(h < 0.5),
    "astype": lambda h: h * tg.astype(3 * h, np.int8),
    "astype, float64": lambda h: tg.astype(tg.astype(h, np.float64) * 0.9, np.float32),
    "copy": tg.copy,
    "zeros_like": lambda h: h + tg.zeros_like(h),
    "ones_like": lambda h: h - tg.ones_like(h),
    "full_like": lambda h: h + tg.full_like(h, 0.1),
}
REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda h: tg.softmax(h, axis=-1),
    "log_softmax": lambda h: tg.log_softmax(h, axis=-1),
    "logsumexp": lambda h: h - tg.logsumexp(h, axis=-1, keepdims=True),
    "layer_norm": lambda h: nn.functional.layer_norm(h, h.shape[-1:]),
    "sum": lambda h: h - 0.1 * h.sum(axis=-1, keepdims=True),
    "sum, of the batch": lambda h: h - 0.1 * h.sum(axis=0),
    "mean": lambda h: h - h.mean(axis=-1, keepdims=True),
    "average": lambda h: h - weighted(h)[:, None],
    "var": lambda h: h * tg.var(h, axis=-1, keepdims=True),
    "std": lambda h: h * tg.std(h + 0.1, axis=-1, keepdims=True),
    "norm": lambda h: h / (1 + tg.norm(h, axis=-1, keepdims=True)),
    "prod": lambda h: h - tg.prod(positive(h)[:, :4], axis=-1, keepdims=True),
    "max": lambda h: h - np.max(h, axis=-1, keepdims=True),
    "min": lambda h: h - np.min(h, axis=-1, keepdims=True),
    "ptp": lambda h: h / (1 + tg.ptp(h, axis=-1, keepdims=True)),
    "median": lambda h: h - tg.median(h, axis=-1, keepdims=True),
    "all": lambda h: h * tg.all(h < 0.9, axis=-1, keepdims=True),
    "any": lambda h: h * tg.any(h > 0.9, axis=-1, keepdims=True),
    "count_nonzero": lambda h: (
        h * tg.astype(tg.count_nonzero(h > 0, axis=-1, keepdims=True), np.int8)
    ),
    "cumsum": lambda h: 0.1 * tg.cumsum(h, axis=-1),
    "cumprod": lambda h: tg.cumprod(0.5 * positive(h), axis=-1),
    "diff": lambda h: np.concatenate([h[:, :1], tg.diff(h, axis=-1)], axis=-1),
    "argmax": lambda h: h * (np.argmax(h, axis=-1) % 2)[:, None].astype(h.dtype),
    "argmin": lambda h: h * (np.argmin(h, axis=-1) % 2)[:, None].astype(h.dtype),
    "argsort": lambda h: h * tg.astype(tg.argsort(h, axis=-1) % 2, h.dtype),
    "argpartition": lambda h: h * tg.astype(tg.argpartition(h, 3, axis=-1) % 2, h.dtype),
    "sort": lambda h: tg.sort(h, axis=-1),
    "partition": lambda h: tg.partition(h, 3, axis=-1),
}
SHAPES: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda h: tg.reshape(0.9 * tg.reshape(h, (-1,)), h.shape),
    "ravel": lambda h: tg.reshape(tg.ravel(h) * 0.9, h.shape),
    "expand_dims": lambda h: tg.expand_dims(h, 1)[:, 0],
    "squeeze": lambda h: tg.squeeze(h[:, None], 1),
    "transpose": lambda h: tg.transpose(tg.tanh(tg.transpose(h))),
    "swapaxes": lambda h: flat(np.swapaxes(tg.tanh(np.swapaxes(heads(h), 1, 2)), 1, 2)),
    "swapaxes, to another order": lambda h: flat(np.swapaxes(heads(h), 1, 2)),
    "moveaxis": lambda h: flat(tg.moveaxis(tg.softmax(tg.moveaxis(heads(h), 1, 2)), 2, 1)),
    "broadcast_to": lambda h: tg.broadcast_to(h[:, :1], h.shape) + h,
    "repeat": lambda h: tg.repeat(h[:, ::2], 2, axis=-1),
    "tile": lambda h: tg.tile(h[:, : h.shape[-1] // 2], (1, 2)),
    "flip": lambda h: tg.flip(h, axis=-1),
    "roll": lambda h: np.roll(h, 1, axis=-1),
    "getitem": lambda h: tg.concatenate([h[:, 1:], h[:, :1]], axis=-1),
    "getitem, steps": lambda h: tg.concatenate([h[:, ::2], h[:, 1::2]], axis=-1),
    "getitem, constant indices": lambda h: h[:, np.arange(h.shape[-1])[::-1].copy()],
    "getitem, computed indices": lambda h: h + h[np.arange(len(h)), np.argmax(h, axis=-1)][:, None],
    "take": lambda h: tg.take(h, np.arange(h.shape[-1]) // 2, axis=-1),
    "take_along_axis": lambda h: h + tg.take_along_axis(h, np.argmax(h, axis=-1)[:, None], axis=-1),
    "index_update": lambda h: tg.index_update(h, (slice(None), 0), 0.5),
    "index_update, computed": lambda h: tg.index_update(
        h, (np.arange(len(h)), np.argmax(h, axis=-1)), 0.5
    ),
    "index_add": lambda h: tg.index_add(h, (slice(None), [0, 0, 1]), 0.5),
    "one_hot": lambda h: h + tg.astype(tg.one_hot(np.argmax(h, axis=-1), h.shape[-1]), np.int8),
    "concatenate": lambda h: tg.concatenate([h[:, 3:], h[:, :3]], axis=-1),
    "append": lambda h: tg.append(h[:, 3:], h[:, :3], axis=-1),
    "hstack": lambda h: tg.hstack([h[:, 3:], h[:, :3]]),
    "vstack": lambda h: tg.vstack([h[1:], h[:1]]),
    "column_stack": lambda h: tg.column_stack([h[:, 3:], h[:, :3]]),
    "dstack": lambda h: tg.reshape(tg.dstack([h[:, ::2], h[:, 1::2]]), h.shape),
    "stack": lambda h: tg.reshape(tg.stack([h[:, ::2], h[:, 1::2]], axis=-1), h.shape),
    "unstack": lambda h: tg.stack(tg.unstack(h, axis=-1)[::-1], axis=-1),
    "split": lambda h: tg.concatenate(tg.split(h, 2, axis=-1)[::-1], axis=-1),
    "array_split": lambda h: tg.concatenate(tg.array_split(h, 3, axis=-1)[::-1], axis=-1),
    "pad": lambda h: tg.pad(h[:, 1:-1], ((0, 0), (1, 1))),
    "pad, one side": lambda h: h - tg.pad(h, ((0, 0), (1, 0)))[:, :-1],
    "pad, with a number": lambda h: tg.pad(h[:, 1:-1], ((0, 0), (1, 1)), constant_values=0.5),
    "diagonal": lambda h: h + tg.diagonal(h[:, None, :] * h[:, :, None], axis1=1, axis2=2),
    "diag": lambda h: h + tg.diag(h[:4, :4]).sum(),
    "trace": lambda h: h + 0.1 * tg.trace(h[:4, :4]),
    "tril": lambda h: flat(tg.tril(heads(h))),
    "triu": lambda h: flat(tg.triu(heads(h))),
}
RANDOM: dict[str, Callable[[Any], Any]] = {
    "rand": lambda h: h * tg.rand(*h.shape),  # runs op by op
    "rand_like": lambda h: h * tg.rand_like(h),
    "randn": lambda h: h + 0.1 * tg.randn(*h.shape),
    "randn_like": lambda h: h + 0.1 * tg.randn_like(h),
    "dropout": lambda h: nn.functional.dropout(h, 0.5),
}
# Of h (B, H) and a weight (H, H), or of its heads (B, 4, H / 4) and a weight of each or of all.
PRODUCTS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "matmul, h @ W": lambda h, w, per_head, small: h @ w,
    "matmul, h @ W.T": lambda h, w, per_head, small: h @ w.T,
    "matmul, (W @ h.T).T": lambda h, w, per_head, small: (w @ h.T).T,
    "matmul, h @ (W W.T)": lambda h, w, per_head, small: h @ (w @ w.T),
    "matmul, h @ (W - W.T)": lambda h, w, per_head, small: h @ (w - w.T),
    "matmul, (h @ W) @ W.T": lambda h, w, per_head, small: (h @ w) @ w.T,
    "matmul, few columns": lambda h, w, per_head, small: h + (h @ w[:, :3]).sum(-1, keepdims=True),
    "matmul, with a vector": lambda h, w, per_head, small: h + (h @ w[0])[:, None],
    "matmul, Householder": lambda h, w, per_head, small: reflected(h, w[0]),
    "dot": lambda h, w, per_head, small: tg.dot(h, w),
    "inner": lambda h, w, per_head, small: tg.inner(h, w),
    "tensordot": lambda h, w, per_head, small: tg.tensordot(h, w, axes=([1], [1])),
    "einsum, bi,oi->bo": lambda h, w, per_head, small: tg.einsum("bi,oi->bo", h, w),
    "einsum, bi,io->bo": lambda h, w, per_head, small: tg.einsum("bi,io->bo", h, w),
    "einsum, bi,io,io->bo": lambda h, w, per_head, small: tg.einsum("bi,io,io->bo", h, w, w),
    "linear of heads": lambda h, w, per_head, small: flat(nn.functional.linear(heads(h), small)),
    "matmul, heads @ W": lambda h, w, per_head, small: flat(heads(h) @ small),
    "einsum, bhi,hij->bhj": lambda h, w, per_head, small: flat(
        tg.einsum("bhi,hij->bhj", heads(h), per_head)
    ),
    "einsum, bhi,hji->bhj": lambda h, w, per_head, small: flat(
        tg.einsum("bhi,hji->bhj", heads(h), per_head)
    ),
    "matmul, heads first": lambda h, w, per_head, small: flat(
        np.swapaxes(np.swapaxes(heads(h), 0, 1) @ per_head, 0, 1)
    ),
    "matmul, attention": lambda h, w, per_head, small: flat(
        tg.softmax(heads(h) @ np.swapaxes(heads(h), 1, 2), axis=-1) @ heads(h)
    ),
    "matmul, row times matrix": lambda h, w, per_head, small: (h[:, None, :] @ w)[:, 0],
    "matmul, matrix times column": lambda h, w, per_head, small: (w @ h[:, :, None])[:, :, 0],
    "outer": lambda h, w, per_head, small: (h[:, :, None] * h[:, None, :]).mean(axis=-1),
    "outer, and product": lambda h, w, per_head, small: (
        (0.1 * h[:, :, None] * h[:, None, :]) @ h[:, :, None]
    )[:, :, 0],
    "hadamard": lambda h, w, per_head, small: tg.hadamard(h, w[0]),
    "vdot": lambda h, w, per_head, small: h * tg.vdot(h[0], w[0]),
    "conv1d": lambda h, w, per_head, small: flat(
        tg.conv1d(heads(h), w[:4, :12].reshape(4, 4, 3), padding=1)
    ),
    "conv2d": lambda h, w, per_head, small: flat(
        tg.conv2d(tg.reshape(h, (len(h), 4, 4, -1)), w[:16, :9].reshape(4, 4, 3, 3), padding=1)
    ),
}


def reflected(h: Any, v: Any) -> Any:
    return h @ (np.eye(len(v), dtype=v.dtype) - (2 / (v @ v)) * v[:, None] * v)


STEPS: dict[str, Callable[..., Any]] = {**ELEMENTWISE, **REDUCTIONS, **SHAPES, **RANDOM, **PRODUCTS}
