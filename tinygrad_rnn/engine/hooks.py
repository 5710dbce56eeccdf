"""A hook as a backward pass calls it: given the gradient, it may answer with another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .dtypes import as_array
from .recording.node import Node

__all__ = ["gradient_hook"]


def gradient_hook(
    hook: Callable[[Any], Any], kind: type[Node], output: Node
) -> Callable[[Any], Any]:
    """The function that replaces a gradient of `output` by what `hook` makes of it.

    `kind`: what the hook is given, a Tensor. The gradient is an array or, in a backward pass that
    is recorded, a Tensor. ValueError if the hook returns another shape.
    """
    shape, dtype = output._data.shape, output._data.dtype

    def replaced(grad: Any) -> Any:
        recorded = isinstance(grad, kind)
        if not recorded:  # other nodes may have the same array for a gradient
            grad = np.asarray(grad).view()  # a rule may give a NumPy scalar
            grad.flags.writeable = False
        new = hook(grad if recorded else kind.of(grad))
        if new is None:
            return grad
        if np.shape(new) != shape:
            raise ValueError(f"a hook returned shape {np.shape(new)} for a gradient of {shape}")
        return new if recorded else as_array(new, dtype, copy=False)

    return replaced
