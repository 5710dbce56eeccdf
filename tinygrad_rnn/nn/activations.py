"""Activation functions as modules, for `nn.Sequential`: PyTorch's names and results."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from .module import Module

__all__ = [
    "ELU",
    "GELU",
    "Flatten",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class _Elementwise(Module):
    """An op of one array in the place of a module."""

    op: Any

    def forward(self, x: Any) -> Any:
        """x of any shape; the result has the same."""
        return type(self).op(x)


class ReLU(_Elementwise):
    """max(x, 0), see `tg.relu`. `inplace` is accepted as in PyTorch; x is never modified.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.ReLU()(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.], dtype=float32)
    """

    op = ops.relu

    def __init__(self, inplace: bool = False) -> None:
        pass


class Tanh(_Elementwise):
    """The hyperbolic tangent, see `tg.tanh`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Tanh()(tg.zeros(1))
    tensor([0.], dtype=float32)
    """

    op = ops.tanh


class Sigmoid(_Elementwise):
    """1 / (1 + exp(-x)), see `tg.sigmoid`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Sigmoid()(tg.zeros(1))
    tensor([0.5], dtype=float32)
    """

    op = ops.sigmoid


class SiLU(_Elementwise):
    """x * sigmoid(x), see `tg.silu`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.SiLU()(tg.zeros(1))
    tensor([0.], dtype=float32)
    """

    op = ops.silu


class Softplus(_Elementwise):
    """log(1 + exp(x)), see `tg.softplus`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Softplus()(tg.tensor([1000.0]))
    tensor([1000.], dtype=float32)
    """

    op = ops.softplus


class LogSigmoid(_Elementwise):
    """log(sigmoid(x)), see `tg.log_sigmoid`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.LogSigmoid()(tg.tensor([-1000.0]))
    tensor([-1000.], dtype=float32)
    """

    op = ops.log_sigmoid


class GELU(_Elementwise):
    """Gaussian error linear unit in its tanh form, see `tg.gelu`.

    `approximate` is "tanh"; ValueError for PyTorch's default "none", which differs from it in the
    fourth decimal.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.GELU("tanh")(tg.zeros(1))
    tensor([0.], dtype=float32)
    """

    op = ops.gelu

    def __init__(self, approximate: str = "none") -> None:
        if approximate != "tanh":
            raise ValueError("GELU has its tanh form here: write nn.GELU(approximate='tanh')")


class LeakyReLU(Module):
    """x where positive, `negative_slope` * x elsewhere, see `tg.leaky_relu`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.LeakyReLU(0.1)(tg.tensor([-1.0, 2.0]))
    tensor([-0.1,  2. ], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        """x of any shape; the result has the same."""
        return ops.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        """The slope."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where positive, `alpha` * (exp(x) - 1) elsewhere, see `tg.elu`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.ELU()(tg.tensor([0.0, 2.0]))
    tensor([0., 2.], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """x of any shape; the result has the same."""
        return ops.elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        """The factor."""
        return f"alpha={self.alpha}"


class _AlongAnAxis(Module):
    op: Any

    def __init__(self, dim: int | None = None, *, axis: int | None = None) -> None:
        if (dim is None) == (axis is None):
            raise ValueError(
                f"{type(self).__name__} needs its axis, as nn.{type(self).__name__}(dim=-1)"
            )
        self.axis = dim if axis is None else axis

    def forward(self, x: Any) -> Any:
        """x of any shape; the result has the same."""
        return type(self).op(x, axis=self.axis)

    def extra_repr(self) -> str:
        """The axis."""
        return f"axis={self.axis}"


class Softmax(_AlongAnAxis):
    """exp(x), normalised to sum 1 along the axis `dim`, see `tg.softmax`.

    ValueError if no axis is given: PyTorch would choose by the number of axes.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Softmax(dim=-1)(tg.zeros(2))
    tensor([0.5, 0.5], dtype=float32)
    """

    op = ops.softmax


class LogSoftmax(_AlongAnAxis):
    """The logarithm of `Softmax`, see `tg.log_softmax`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.LogSoftmax(dim=-1)(tg.tensor([0.0, 1000.0]))
    tensor([-1000.,     0.], dtype=float32)
    """

    op = ops.log_softmax


class Identity(Module):
    """x as it is; takes and ignores any arguments when it is made.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Identity()(tg.ones(2))
    tensor([1., 1.], dtype=float32)
    """

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` joined to one; the first, the batch, stays.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Flatten()(tg.zeros(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Any) -> Any:
        """x of `start_dim` + 1 axes or more."""
        shape = x.shape
        last = self.end_dim % len(shape)
        joined = math.prod(shape[self.start_dim : last + 1])
        return ops.reshape(x, (*shape[: self.start_dim], joined, *shape[last + 1 :]))

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
