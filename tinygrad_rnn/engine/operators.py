"""What a Tensor answers to: operators, methods and NumPy's functions, each the op of that name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from .keywords import takes_dim
from .primitives.protocol import FUNCTIONS, implementation, numpy_call

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Operators"]

Tensor = TypeVar("Tensor")  # what all of these return: the class that inherits them


class Operators(Generic[Tensor]):
    """Arithmetic, comparison, indexing and methods, for `Tensor` to inherit.

    `axis` and `keepdims` mean what they mean in NumPy.
    """

    __slots__ = ()

    _answers: Mapping[Any, Callable[..., Tensor]] = FUNCTIONS

    def _update(self, ufunc: Any, other: Any) -> Tensor:
        raise NotImplementedError

    # NumPy's functions on Tensors

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.pop("out", None) is not None:
            raise TypeError(
                f"np.{ufunc.__name__}(..., out=...) with a Tensor would drop the graph; "
                "assign the result instead: `a = a + t`"
            )
        if method != "__call__":
            raise TypeError(
                f"np.{ufunc.__name__}.{method} has no differentiable rule for Tensors; "
                "use np.sum, np.prod, np.max, np.min or np.cumsum"
            )
        return implementation(ufunc)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpy_call(function, args, kwargs)

    # Operators and methods

    def __add__(self, other: Any) -> Tensor:
        return self._answers[np.add](self, other)

    def __radd__(self, other: Any) -> Tensor:
        return self._answers[np.add](other, self)

    def __sub__(self, other: Any) -> Tensor:
        return self._answers[np.subtract](self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return self._answers[np.subtract](other, self)

    def __mul__(self, other: Any) -> Tensor:
        return self._answers[np.multiply](self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return self._answers[np.multiply](other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return self._answers[np.divide](self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._answers[np.divide](other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return self._answers[np.floor_divide](self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return self._answers[np.floor_divide](other, self)

    def __mod__(self, other: Any) -> Tensor:
        return self._answers[np.remainder](self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return self._answers[np.remainder](other, self)

    def __pow__(self, other: Any) -> Tensor:
        return self._answers[np.power](self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return self._answers[np.power](other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return self._answers[np.matmul](self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return self._answers[np.matmul](other, self)

    def __iadd__(self, other: Any) -> Tensor:
        return self._update(np.add, other)

    def __isub__(self, other: Any) -> Tensor:
        return self._update(np.subtract, other)

    def __imul__(self, other: Any) -> Tensor:
        return self._update(np.multiply, other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._update(np.divide, other)

    def __ifloordiv__(self, other: Any) -> Tensor:
        return self._update(np.floor_divide, other)

    def __imod__(self, other: Any) -> Tensor:
        return self._update(np.remainder, other)

    def __ipow__(self, other: Any) -> Tensor:
        return self._update(np.power, other)

    def __neg__(self) -> Tensor:
        return self._answers[np.negative](self)

    def __pos__(self) -> Tensor:
        return self._answers[np.positive](self)

    def __abs__(self) -> Tensor:
        return self._answers[np.abs](self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._answers[np.equal](self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return self._answers[np.not_equal](self, other)

    def __lt__(self, other: Any) -> Tensor:
        return self._answers[np.less](self, other)

    def __le__(self, other: Any) -> Tensor:
        return self._answers[np.less_equal](self, other)

    def __gt__(self, other: Any) -> Tensor:
        return self._answers[np.greater](self, other)

    def __ge__(self, other: Any) -> Tensor:
        return self._answers[np.greater_equal](self, other)

    def __and__(self, other: Any) -> Tensor:
        return self._answers[np.logical_and](self, other)

    def __or__(self, other: Any) -> Tensor:
        return self._answers[np.logical_or](self, other)

    def __invert__(self) -> Tensor:
        return self._answers[np.logical_not](self)

    def __getitem__(self, index: Any) -> Tensor:
        return self._answers["getitem"](self, index)

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return self._answers[np.transpose](self)

    @takes_dim
    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Sum over `axis` (None: over all)."""
        return self._answers[np.sum](self, axis=axis, keepdims=keepdims)

    @takes_dim
    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Mean over `axis`."""
        return self._answers[np.mean](self, axis=axis, keepdims=keepdims)

    @takes_dim
    def prod(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Product over `axis`."""
        return self._answers[np.prod](self, axis=axis, keepdims=keepdims)

    @takes_dim
    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Largest element over `axis`."""
        return self._answers[np.max](self, axis=axis, keepdims=keepdims)

    @takes_dim
    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Smallest element over `axis`."""
        return self._answers[np.min](self, axis=axis, keepdims=keepdims)

    @takes_dim
    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Variance over `axis`, divided by n - `ddof`."""
        return self._answers[np.var](self, axis=axis, ddof=ddof, keepdims=keepdims)

    @takes_dim
    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Standard deviation over `axis`, see `var`."""
        return self._answers[np.std](self, axis=axis, ddof=ddof, keepdims=keepdims)

    @takes_dim
    def argmax(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Position of the largest element along `axis`; not differentiable."""
        return self._answers[np.argmax](self, axis=axis, keepdims=keepdims)

    @takes_dim
    def argmin(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Position of the smallest element along `axis`; not differentiable."""
        return self._answers[np.argmin](self, axis=axis, keepdims=keepdims)

    @takes_dim
    def cumsum(self, axis: Any = None) -> Tensor:
        """Running sum along `axis` (None: of the flattened tensor)."""
        return self._answers[np.cumsum](self, axis=axis)

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape; one size may be -1."""
        return self._answers[np.reshape](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in the order `axes` (none given: reversed).

        ValueError for two ints that PyTorch would take as the two axes to exchange.
        """
        this: Any = self
        if len(axes) == 2 and (this.ndim != 2 or axes[0] % 2 == 0):
            raise ValueError(
                f"transpose{axes} exchanges two axes in PyTorch, and is an order of all axes in "
                f"NumPy; write t.swapaxes{axes} for the first, t.transpose({axes}) for the second"
            )
        order = axes[0] if len(axes) == 1 else axes or None
        return self._answers[np.transpose](self, order)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """The tensor with two axes exchanged."""
        return self._answers[np.swapaxes](self, axis1, axis2)

    @takes_dim
    def squeeze(self, axis: Any = None) -> Tensor:
        """Without the axes of size 1 (those in `axis`, or all)."""
        return self._answers[np.squeeze](self, axis=axis)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The axes from `start_dim` to `end_dim`, all of them if not given, as one."""
        return self._answers["flatten"](self, start_dim, end_dim)

    def astype(self, dtype: npt.DTypeLike) -> Tensor:
        """The tensor in another dtype; gradients are cast back."""
        return self._answers["astype"](self, dtype=np.dtype(dtype))

    def copy(self) -> Tensor:
        """A copy that gradients flow through."""
        return self._answers[np.copy](self)

    def clip(self, min: Any = None, max: Any = None) -> Tensor:
        """The elements, limited to [`min`, `max`]."""
        return self._answers[np.clip](self, min, max)

    def exp(self) -> Tensor:
        """e to the power of each element."""
        return self._answers[np.exp](self)

    def log(self) -> Tensor:
        """Natural logarithm."""
        return self._answers[np.log](self)

    def sqrt(self) -> Tensor:
        """Square root."""
        return self._answers[np.sqrt](self)

    def tanh(self) -> Tensor:
        """Hyperbolic tangent."""
        return self._answers[np.tanh](self)

    def abs(self) -> Tensor:
        """Absolute value."""
        return self._answers[np.abs](self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x))."""
        return self._answers["sigmoid"](self)

    def relu(self) -> Tensor:
        """max(x, 0)."""
        return self._answers["relu"](self)

    @takes_dim
    def softmax(self, axis: int = -1) -> Tensor:
        """exp(x), normalised to sum 1 along `axis`."""
        return self._answers["softmax"](self, axis=axis)

    @takes_dim
    def log_softmax(self, axis: int = -1) -> Tensor:
        """Logarithm of `softmax`, without overflow."""
        return self._answers["log_softmax"](self, axis=axis)
