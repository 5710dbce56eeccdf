"""Parameters of cells, with the initial values that papers name."""

from __future__ import annotations

import math

from ..nn import init
from ..nn.layers import empty_parameter
from ..nn.module import Parameter

__all__ = ["constant", "normal", "uniform", "xavier", "zeros"]


def uniform(*shape: int, bound: float) -> Parameter:
    """Uniform in +-bound."""
    return init.uniform_(empty_parameter(*shape), -bound, bound)


def normal(*shape: int, std: float) -> Parameter:
    """Normal, with mean 0."""
    return init.normal_(empty_parameter(*shape), 0.0, std)


def xavier(*shape: int, gates: int = 1) -> Parameter:
    """Uniform by the sizes of one gate's matrix (Glorot & Bengio 2010)."""
    rows, columns = shape[0] // gates, shape[1]
    return uniform(*shape, bound=math.sqrt(6 / (rows + columns)))


def constant(*shape: int, value: float) -> Parameter:
    """One number everywhere."""
    return init.constant_(empty_parameter(*shape), value)


def zeros(*shape: int) -> Parameter:
    """Zeros."""
    return constant(*shape, value=0.0)
