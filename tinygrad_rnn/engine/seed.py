"""The gradient that a backward pass starts with: what the loss is, or how outputs are weighted."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dtypes import as_array
from .recording.node import Node

__all__ = ["seed"]


def seed(kind: type[Node], output: Node, gradient: Any, create_graph: bool) -> Any:
    """The gradient that a backward pass from `output` starts with, checked.

    An array or, for a backward pass that is recorded, a leaf of that kind: a Tensor.
    """
    data = output._data
    if not output.requires_grad:
        raise RuntimeError(
            "backward from a tensor that requires no gradient: nothing was recorded. Were the "
            "inputs made with requires_grad=True, and outside no_grad()?"
        )
    if gradient is None:
        if data.size != 1:
            raise ValueError(
                f"the gradient of a tensor of shape {data.shape} needs a weight for each "
                "element: reduce it to one number, e.g. t.sum(), or pass gradient=..."
            )
        gradient = np.array(1, data.dtype).reshape(data.shape)
        return kind.of(gradient) if create_graph else gradient
    shape = np.shape(gradient._data if isinstance(gradient, Node) else gradient)
    if shape != data.shape:
        raise ValueError(f"gradient has shape {shape}, the tensor has shape {data.shape}")
    if create_graph and isinstance(gradient, kind):
        return gradient
    array = as_array(gradient, data.dtype, copy=False)
    return kind.of(array) if create_graph else array
