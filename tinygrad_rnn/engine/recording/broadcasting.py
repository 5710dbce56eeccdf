"""Broadcasting undone: the gradient of what was repeated is summed over its repetitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .node import Node

__all__ = ["unbroadcast", "zeros"]

ndarray = np.ndarray


def unbroadcast(grad: Any, like: Any) -> Any:
    """`grad` in the shape and dtype of `like`: broadcast axes summed, summed axes broadcast."""
    if not isinstance(grad, Node | ndarray):
        if grad is None:
            raise TypeError("its rule returned None; a rule returns the gradient of its input")
        grad = np.asarray(grad)
    shape = like.shape
    if not grad.ndim and shape and grad.__class__ is ndarray:  # such as that of a sum
        grad = _repeated(grad, shape)
    elif grad.shape != shape:
        new = max(grad.ndim - len(shape), 0)
        if new and grad.shape[new:] == shape:  # broadcast along new axes alone, such as a bias
            if grad.__class__ is ndarray and grad.size == like.size:  # repeated once
                grad = grad.reshape(shape)
            else:
                grad = np.sum(grad, axis=tuple(range(new)))
            return grad if grad.dtype == like.dtype else grad.astype(like.dtype)
        repeated = tuple(
            axis
            for axis, size in enumerate(grad.shape)
            if axis < new or (shape[axis - new] == 1 and size != 1 and grad.ndim >= len(shape))
        )
        if repeated:
            grad = np.sum(grad, axis=repeated, keepdims=True)
            grad = np.reshape(grad, grad.shape[new:])
        if grad.shape != shape:
            grad = np.broadcast_to(grad, shape=shape)  # by name: faster for a Tensor
    return grad if grad.dtype == like.dtype else grad.astype(like.dtype)


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Zeros without memory of their own, not to be written to."""
    return _repeated(np.zeros((), dtype), shape)


def _repeated(number: Any, shape: tuple[int, ...]) -> Any:
    """An array all of whose elements are one: as safe as `np.broadcast_to`, and faster."""
    array = ndarray(shape, number.dtype, number, 0, (0,) * len(shape))
    array.flags.writeable = False
    return array
