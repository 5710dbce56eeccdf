"""The plain recurrent network (Elman 1990)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from .. import init
from ..functional import linear
from ..layers import empty_parameter
from ..parameter import Parameter
from .cell import Cell
from .stacked import StackedRecurrent

__all__ = ["RNN", "RNNCell"]


class RNNCell(Cell):
    """h_t = tanh(W_xh x_t + W_hh h_{t-1} + b): the plain recurrent cell (Elman 1990).

    weight_ih (H, I), weight_hh (H, H), bias_ih and bias_hh (H,), with H = hidden_size and
    I = input_size, start uniform in +-1 / sqrt(H), as in PyTorch. `nonlinearity`: "tanh" or
    "relu" (ValueError for others).

    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.RNNCell(3, 4)
    >>> h = cell(tg.zeros(2, 3), tg.zeros(2, 4))
    >>> h.shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.nonlinearity = nonlinearity
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gate_parameters(
            1, input_size, hidden_size, bias
        )

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I), h_{t-1} (B, H) -> h_t (B, H)."""
        h = state
        activation = ops.tanh if self.nonlinearity == "tanh" else ops.relu
        new: Tensor = activation(
            linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        ).named("h")
        return new


class RNN(StackedRecurrent):
    """The plain recurrent network over sequences. See `RNNCell`, and `Recurrent` for the `options`.

    >>> import tinygrad_rnn as tg
    >>> outputs, h = tg.nn.RNN(3, 4)(tg.zeros(5, 2, 3))
    >>> outputs.shape, h.shape
    ((5, 2, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        options.update(batch_first=batch_first, dropout=dropout, bidirectional=bidirectional)
        cell = RNNCell(input_size, hidden_size, bias, nonlinearity)
        super().__init__(cell, num_layers, options)


def gate_parameters(gates: int, input_size: int, hidden_size: int, bias: bool) -> tuple[Any, ...]:
    """weight_ih, weight_hh, bias_ih and bias_hh for that many gates, PyTorch's initial values."""
    for name, size, least in (("input_size", input_size, 0), ("hidden_size", hidden_size, 1)):
        if not isinstance(size, int | np.integer):
            raise TypeError(f"{name} is a whole number, not {size!r}")
        if size < least:
            raise ValueError(f"{name} must be at least {least}, got {size}")
    rows = gates * hidden_size
    bound = 1 / math.sqrt(hidden_size)

    def uniform(*shape: int) -> Parameter:
        return init.uniform_(empty_parameter(*shape), -bound, bound)

    weights = uniform(rows, input_size), uniform(rows, hidden_size)
    return *weights, *((uniform(rows), uniform(rows)) if bias else (None, None))
