"""Initial values of parameters, written in place.

They are drawn from `generator`, or from the one that `tg.manual_seed` sets.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .. import torch_names
from ..engine.recording.guard import note_change
from ..engine.tensor import Tensor
from ..ops import random

__all__ = [
    "constant_",
    "forget_gate_bias_",
    "normal_",
    "orthogonal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

if not TYPE_CHECKING:  # a type checker knows this package's own names only

    def __getattr__(name: str) -> object:
        return torch_names.missing("nn.init", name, sys.modules[__name__])


T = TypeVar("T", bound=Tensor)


def _source(given: np.random.Generator | None) -> np.random.Generator:
    return random.generator() if given is None else given


def _fill(tensor: T, values: object) -> T:
    tensor._data[...] = values
    note_change(tensor._data, "an initialiser")
    return tensor


def uniform_(
    tensor: T, low: float = 0.0, high: float = 1.0, generator: np.random.Generator | None = None
) -> T:
    """Fill with numbers uniform in [low, high); returns the tensor.

    >>> import tinygrad_rnn as tg
    >>> bool((tg.nn.init.uniform_(tg.zeros(9), 2.0, 3.0) >= 2.0).data.all())
    True
    """
    return _fill(tensor, _source(generator).uniform(low, high, tensor.shape))


def normal_(
    tensor: T, mean: float = 0.0, std: float = 1.0, generator: np.random.Generator | None = None
) -> T:
    """Fill with numbers from the normal distribution.

    >>> import tinygrad_rnn as tg
    >>> bool(abs(tg.nn.init.normal_(tg.zeros(1000), 5.0, 0.1).mean().item() - 5.0) < 0.1)
    True
    """
    return _fill(tensor, _source(generator).normal(mean, std, tensor.shape))


def constant_(tensor: T, value: float) -> T:
    """Fill with one value.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.constant_(tg.zeros(2), 3.0)
    tensor([3., 3.], dtype=float32)
    """
    return _fill(tensor, value)


def zeros_(tensor: T) -> T:
    """Fill with zeros.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.zeros_(tg.ones(2))
    tensor([0., 0.], dtype=float32)
    """
    return _fill(tensor, 0)


def _fans(tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ValueError(f"fan-in and fan-out need two axes or more, found shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(
    tensor: T, gain: float = 1.0, generator: np.random.Generator | None = None
) -> T:
    """Uniform in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    >>> import tinygrad_rnn as tg
    >>> weight = tg.nn.init.xavier_uniform_(tg.zeros(2, 4))
    >>> bool((abs(weight) <= 1.0).data.all())  # the bound for sizes 2 and 4: sqrt(6 / 6)
    True
    """
    bound = gain * math.sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: np.random.Generator | None = None) -> T:
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.xavier_normal_(tg.zeros(2, 4)).shape
    (2, 4)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor))), generator)


def orthogonal_(tensor: T, gain: float = 1.0, generator: np.random.Generator | None = None) -> T:
    """A (semi-)orthogonal matrix (rows x the rest), times gain (Saxe et al. 2014).

    Recurrent weights that start orthogonal neither shrink nor grow the state.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> w = tg.nn.init.orthogonal_(tg.zeros(3, 3))
    >>> np.allclose(w.data @ w.data.T, np.eye(3), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs two axes or more, found shape {tensor.shape}")
    rows = tensor.shape[0]
    columns = tensor.size // rows if rows else 0
    normal = _source(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q = q * np.sign(np.diagonal(r))  # makes the distribution uniform over orthogonal matrices
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def forget_gate_bias_(bias: T, value: float = 1.0) -> T:
    """Set the forget gate's part of an LSTM's bias (i, f, g, o, each of the hidden size).

    A forget gate that starts open lets the gradient through from the first step on (Gers et al.
    2000; Jozefowicz et al. 2015). ValueError if the size is not a multiple of 4.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.forget_gate_bias_(tg.zeros(4))
    tensor([0., 1., 0., 0.], dtype=float32)
    """
    if bias.ndim != 1 or bias.size % 4:
        raise ValueError(f"an LSTM bias has shape (4 * hidden_size,), this has {bias.shape}")
    hidden_size = bias.size // 4
    values = bias._data.copy()
    values[hidden_size : 2 * hidden_size] = value
    return _fill(bias, values)
