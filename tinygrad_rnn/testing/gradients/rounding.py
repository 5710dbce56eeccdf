"""How much of a gradient is rounding: measured, so that a check need not guess a tolerance.

Where contributions cancel (the gradient of `sum(softmax(x))` is 0), all that is left of a correct
gradient is rounding error, and a relative comparison would compare noise. The error to expect is a
few units in the last place of the *contributions*. Their size is measured by perturbation: every
intermediate value and gradient is changed by a random relative 2^-10, and the result moves by 2^-10
times the size of the terms that it is summed from. A gradient of 1e-13 with contributions of 1e-13
is still checked relative to its own size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.dtypes import is_floating
from ...engine.primitives.primitive import Primitive
from ...engine.recording.node import Node
from ...engine.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["magnitudes"]

_SHAKE = 2.0**-10


class _Shake:
    """Changes every recorded value, and every gradient that arrives at it, by a small factor."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def shaken(self, data: Array, size: Any = 0.0) -> Array:
        signs = self._rng.integers(0, 2, data.shape) * 2 - 1
        change = _SHAKE * signs * np.maximum(np.abs(data), size)
        return np.asarray(data + change).astype(data.dtype)

    def forward(self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: Any) -> None:
        """Perturb the result of `op`, and hook its gradient."""
        if not node.requires_grad:
            return
        parts = node._data if isinstance(node._data, tuple) else (node._data,)
        sizes = _rounding_of(op, parts, inputs, attributes)
        changed = tuple(map(self.shaken, parts, sizes))
        if isinstance(node, Tensor):
            node._data = changed[0]
            node.register_hook(lambda grad: grad * self.shaken(np.ones_like(grad._data)))
        else:
            node._data = changed

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Nothing to do: the hooks perturb gradients where they arrive."""


def _rounding_of(
    op: Primitive, parts: tuple[Array, ...], inputs: Sequence[Any], attributes: Any
) -> list[Any]:
    """The op's own rounding error in machine epsilons, measured in extended precision.

    It is more than one epsilon of the result where the op cancels inside, as 0.5 * tanh(x / 2) +
    0.5 does. Where elements are combined (a softmax), one of them may be lost next to another even
    in higher precision.
    """
    values = [x._data if isinstance(x, Node) else x for x in inputs]
    try:
        fine = op.value(
            *(v.astype(np.longdouble) if is_floating(v) else v for v in values), **attributes
        )
    except TypeError:  # an op that does not support extended precision
        return [0.0] * len(parts)
    exact = fine if isinstance(fine, tuple) else (fine,)
    lost = [np.abs(a - b) / np.finfo(a.dtype).eps for a, b in zip(parts, exact, strict=True)]
    least = [
        0.0 if op.traits.elementwise else 2.0**-20 * np.max(np.abs(a), initial=0) for a in parts
    ]
    return [np.maximum(np.where(np.isfinite(x), x, 0), y) for x, y in zip(lost, least, strict=True)]


def magnitudes(
    results: Callable[[Sequence[Array], Any], list[Array]],
    point: Sequence[Array],
    exact: list[Array] | None = None,
    shakes: int = 3,
) -> list[Array]:
    """The size of the contributions to each element of `results(point, watch)`.

    Multiply by the machine epsilon for the error that a rounding at each step may leave. `exact`:
    `results(point, None)`, if it is known. `shakes`: the number of perturbed runs.
    """
    exact = results(point, None) if exact is None else exact
    sizes = [np.zeros(x.shape) for x in exact]
    for seed in range(shakes):
        shake = _Shake(seed)
        moved = results([shake.shaken(x) for x in point], shake)
        for size, one, other in zip(sizes, moved, exact, strict=True):
            change = np.abs(one - other) / _SHAKE
            np.maximum(size, change, out=size, where=np.isfinite(change))
    for size, lost in zip(sizes, _lost(results, point, exact), strict=True):
        np.maximum(size, lost, out=size, where=np.isfinite(lost))
    return sizes


def _lost(
    results: Callable[[Sequence[Array], Any], list[Array]],
    point: Sequence[Array],
    exact: list[Array],
) -> list[Array]:
    """The error against extended precision, in machine epsilons: cancellation inside rules."""
    try:
        fine = results([x.astype(np.longdouble) for x in point], None)
    except TypeError:  # an op that does not support extended precision
        return [np.zeros(x.shape) for x in exact]
    eps = np.finfo(np.float64).eps
    return [np.asarray(np.abs(a - b) / eps, np.float64) for a, b in zip(exact, fine, strict=True)]
