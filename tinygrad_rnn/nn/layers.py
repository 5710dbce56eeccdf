"""Linear, Embedding, Dropout and LayerNorm: PyTorch's names, shapes and initial values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.dtypes import get_default_dtype
from ..engine.tensor import Tensor
from . import functional, init
from .module import Module
from .parameter import Parameter

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear"]


def empty_parameter(*shape: int) -> Parameter:
    """A Parameter of zeros in the default dtype, for an initialiser to fill."""
    if any(size < 0 for size in shape):
        raise ValueError(f"sizes must not be negative, got {shape}")
    return Parameter(np.zeros(shape, get_default_dtype()))


class Linear(Module):
    """x @ weight.T + bias; weight (out_features, in_features), bias (out_features,).

    Initial values are uniform in +-1 / sqrt(in_features), as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Linear(3, 2)(tg.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = in_features
        self.out_features = out_features
        weight = empty_parameter(out_features, in_features)
        bound = 1 / math.sqrt(in_features) if in_features else 0.0
        self.weight = init.uniform_(weight, -bound, bound)
        self.bias = init.uniform_(empty_parameter(out_features), -bound, bound) if bias else None

    def forward(self, x: Any) -> Tensor:
        """x (..., in_features) to (..., out_features); dtypes as in `functional.linear`."""
        if np.shape(x)[-1:] != (self.in_features,):
            raise functional.wrong_features("Linear", self.in_features, x)
        return functional.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A learned vector for each of `num_embeddings` integers; weight (num_embeddings, dim).

    `padding_idx`: the row that starts as zeros and whose gradient is zero; negative numbers count
    from the end. Initial values are standard normal, as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Embedding(10, 3)([[1, 2], [3, 4]]).shape
    (2, 2, 3)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.weight = init.normal_(empty_parameter(num_embeddings, embedding_dim))
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"padding_idx {padding_idx} of {num_embeddings} embeddings")
            self.padding_idx = padding_idx % num_embeddings
            self.weight._data[padding_idx] = 0

    def forward(self, indices: Any) -> Tensor:
        """Integer indices (...) to vectors (..., embedding_dim)."""
        return functional.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """The sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class Dropout(Module):
    """In training mode, zero each element with probability p and scale the rest by 1 / (1 - p).

    The elements are drawn from `generator`, or the one that `tg.manual_seed` sets. ValueError if p
    is not in [0, 1].

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Dropout(0.5).eval()(tg.ones(2))
    tensor([1., 1.], dtype=float32)
    """

    def __init__(self, p: float = 0.5, generator: np.random.Generator | None = None) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"dropout: p is a probability, got {p}")
        self.p = p
        self.generator = generator

    def forward(self, x: Any) -> Any:
        """x of any shape."""
        return functional.dropout(x, self.p, self.training, self.generator)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


class LayerNorm(Module):
    """Normalise over the last axes, of shape `normalized_shape`, then scale and shift.

    Ba, Kiros & Hinton 2016. weight and bias of shape `normalized_shape`, 1 and 0 at first.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.LayerNorm(4)(tg.randn(2, 4)).shape
    (2, 4)
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(shape)
        self.eps = eps
        self.weight = init.constant_(empty_parameter(*shape), 1.0) if elementwise_affine else None
        self.bias = empty_parameter(*shape) if elementwise_affine and bias else None

    def forward(self, x: Any) -> Tensor:
        """x (..., *normalized_shape), the same shape out. ValueError if the shape does not fit."""
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The shape."""
        return f"{self.normalized_shape}, eps={self.eps}"
