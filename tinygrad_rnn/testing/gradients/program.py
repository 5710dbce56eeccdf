"""Program: the function under test with its arguments, runnable at any point and precision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.dtypes import is_floating
from ...engine.tensor import Tensor, from_numpy
from ...engine.transforms import grad
from .differentiation import STEP, differentiating, imaginary_part

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["Program", "direction_for", "one_at", "tensors_in"]


class Program:
    """`fn(*inputs)` and the leaves to differentiate it by: floating inputs, then `parameters`.

    A *point* is a list of arrays, one per leaf. The outputs are reduced to one number, `sum(weight
    * output)`, whose gradient is checked.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        inputs: Sequence[Any],
        parameters: Iterable[Tensor] = (),
        seed: int = 0,
    ) -> None:
        self.fn = fn
        self.parameters = list(parameters)
        self.inputs = [x if isinstance(x, Tensor) else _as_tensor(x) for x in inputs]
        self._places = [i for i, x in enumerate(self.inputs) if _differentiable(x)]
        leaves = [*(self.inputs[i] for i in self._places), *self.parameters]
        if not leaves:
            raise ValueError("nothing to check: no input is a floating-point array or Tensor")
        self.point = [np.array(leaf._data, np.float64) for leaf in leaves]
        own_names = [f"input {i}" for i in self._places]
        own_names += [f"parameter {i}" for i in range(len(self.parameters))]
        self.names = [leaf.name or name for leaf, name in zip(leaves, own_names, strict=True)]
        self.outputs = self._first_values()
        rng = np.random.default_rng(seed)
        self.weights = [rng.uniform(0.5, 1.5, value.shape) for value in self.outputs]

    def _first_values(self) -> list[Array]:
        """The outputs, after checking that they are finite and reproducible."""
        once, again = ([np.array(out._data) for out in self.run(self.point)] for _ in range(2))
        if not once:
            raise TypeError("fn returned no floating-point Tensor: there is nothing to check")
        for index, (one, other) in enumerate(zip(once, again, strict=True)):
            if not np.isfinite(one).all():
                raise ValueError(f"output {index} of fn is not finite, so it has no gradient here")
            if not np.array_equal(one, other):
                raise ValueError(
                    f"output {index} of fn differs between two runs with the same inputs; "
                    "draw random numbers outside fn, or call tg.manual_seed inside it"
                )
        return once

    @contextmanager
    def at(self, point: Sequence[Array]) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """The arguments for `fn` and the leaves, at `point`. Parameters are restored afterwards."""
        call = list(self.inputs)
        leaves = []
        for place, array in zip(self._places, point, strict=False):
            leaf = Tensor.of(array)
            leaf.requires_grad = True
            leaf.name = self.inputs[place].name
            call[place] = leaf
            leaves.append(leaf)
        before = [(p, p._data, p.requires_grad) for p in self.parameters]
        try:
            for p, array in zip(self.parameters, point[len(leaves) :], strict=True):
                p._data, p.requires_grad = array, True
            yield call, [*leaves, *self.parameters]
        finally:
            for p, data, requires_grad in before:
                p._data, p.requires_grad = data, requires_grad

    def run(self, point: Sequence[Array], watch: Any = None) -> list[Tensor]:
        """The outputs of `fn` at `point`, which may be complex or of extended precision."""
        with differentiating(watch), self.at(point) as (call, _):
            return tensors_in(self.fn(*call))

    def gradient(self, point: Sequence[Array], watch: Any = None) -> list[Array]:
        """The gradient of the weighted sum of outputs for each leaf, by the gradient rules."""
        with differentiating(watch), self.at(point) as (call, leaves):
            outs = tensors_in(self.fn(*call))
            recorded = [(o, w) for o, w in zip(outs, self.weights, strict=True) if o.requires_grad]
            if hasattr(watch, "forward_is_done"):
                watch.forward_is_done()
            found: Sequence[Any] = [None] * len(leaves)
            if recorded:
                kept, weights = zip(*recorded, strict=True)
                found = grad(kept, leaves, list(weights), allow_unused=True)
        return [
            np.zeros(x.shape) if g is None else g._data for g, x in zip(found, point, strict=True)
        ]

    def slope(self, direction: Sequence[Array], watch: Any) -> float:
        """The derivative of the weighted sum along `direction`, by the complex step."""
        point = [x + STEP * 1j * v for x, v in zip(self.point, direction, strict=True)]
        return imaginary_part(self.run(point, watch), self.weights)

    def value_along(self, direction: Sequence[Array]) -> Callable[[Any], Any]:
        """step -> the weighted sum at `point + step * direction`, in extended precision."""

        def value(step: Any) -> Any:
            point = [
                x.astype(np.longdouble) + step * v
                for x, v in zip(self.point, direction, strict=True)
            ]
            outs = self.run(point)
            return sum(np.sum(w * out._data) for out, w in zip(outs, self.weights, strict=True))

        return value


def one_at(point: Sequence[Array], leaf: int, index: tuple[int, ...]) -> list[Array]:
    """The direction that changes one element of one leaf."""
    direction = [np.zeros(x.shape) for x in point]
    direction[leaf][index] = 1.0
    return direction


def direction_for(gradients: Sequence[Array], seed: int = 0) -> list[Array]:
    """A direction that weights every element equally, however small its gradient is.

    Random signs, divided by the size of each element's gradient; where that is 0, by the smallest
    that is not. The largest element of the direction is 1.
    """
    rng = np.random.default_rng(seed)
    sizes = [np.where(np.isfinite(g), np.abs(g), 0) for g in gradients]
    smallest = min((s[s > 0].min() for s in sizes if np.any(s > 0)), default=1.0)
    smallest = max(smallest, 1e-170 * max((s.max(initial=0) for s in sizes), default=1.0))
    return [
        rng.choice([-1.0, 1.0], s.shape)
        * rng.uniform(0.5, 1.0, s.shape)
        * (smallest / np.maximum(s, smallest))
        for s in sizes
    ]


def tensors_in(result: Any) -> list[Tensor]:
    """The floating-point Tensors in a nest of tuples, lists and dicts, in order."""
    if isinstance(result, Tensor):
        return [result] if result._data.dtype.kind in "fc" else []
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        return [t for part in result for t in tensors_in(part)]
    return []


def _as_tensor(x: Any) -> Any:
    """A Tensor from an array or a float; anything else is passed to `fn` unchanged."""
    if isinstance(x, np.ndarray | np.floating | float):
        return from_numpy(np.asarray(x))
    return x


def _differentiable(x: Any) -> bool:
    return isinstance(x, Tensor) and is_floating(x._data)
