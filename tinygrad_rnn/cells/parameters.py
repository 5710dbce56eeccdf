"""Parameters of cells, with the initial values that papers give."""

from __future__ import annotations

import math

import numpy as np

from ..nn import init
from ..nn.layers import empty_parameter
from ..nn.parameter import Parameter

__all__ = ["constant", "normal", "orthogonal", "uniform", "xavier", "zeros"]


def uniform(*shape: int, bound: float) -> Parameter:
    """Uniform in +-bound."""
    return init.uniform_(empty_parameter(*shape), -bound, bound)


def normal(*shape: int, std: float) -> Parameter:
    """Normal, with mean 0."""
    return init.normal_(empty_parameter(*shape), 0.0, std)


def xavier(*shape: int, gates: int = 1) -> Parameter:
    """Uniform, with a bound from the sizes of one gate's matrix (Glorot & Bengio 2010)."""
    rows, columns = shape[0] // gates, shape[1]
    return uniform(*shape, bound=math.sqrt(6 / (rows + columns)))


def orthogonal(*shape: int, gates: int = 1) -> Parameter:
    """A random orthogonal matrix for each gate (Saxe et al. 2014)."""
    made = empty_parameter(*shape)
    for gate in np.split(made.data, gates):
        gate[:] = init.orthogonal_(empty_parameter(*gate.shape)).data
    return made


def constant(*shape: int, value: float) -> Parameter:
    """One number everywhere."""
    return init.constant_(empty_parameter(*shape), value)


def zeros(*shape: int) -> Parameter:
    """Zeros."""
    return constant(*shape, value=0.0)
