"""Activation functions that papers define, composed from ops."""

from __future__ import annotations

from .. import ops
from ..engine.tensor import Tensor

__all__ = ["hard_sigmoid"]


def hard_sigmoid(x: Tensor) -> Tensor:
    """min(max(x / 5 + 1/2, 0), 1), as in Theano and Keras. (PyTorch's slope is 1/6.)"""
    clipped: Tensor = ops.clip(0.2 * x + 0.5, 0.0, 1.0)
    return clipped
