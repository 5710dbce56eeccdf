"""The gated recurrent unit (Cho et al. 2014)."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...engine.tensor import Tensor
from ..functional import linear
from .cell import Cell
from .rnn import gate_parameters
from .stacked import StackedRecurrent

__all__ = ["GRU", "GRUCell"]


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as PyTorch.

    r = s(W_r x_t + U_r h_{t-1} + b_r)                      reset gate
    z = s(W_z x_t + U_z h_{t-1} + b_z)                      update gate
    n = tanh(W_n x_t + b_n + r * (U_n h_{t-1} + b_hn))      candidate
    h_t = (1 - z) * n + z * h_{t-1}

    weight_ih (3H, I) and weight_hh (3H, H) hold the gates in the order r, z, n; bias_ih and
    bias_hh (3H,); all start uniform in +-1 / sqrt(H).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.GRUCell(3, 4)(tg.zeros(2, 3)).shape
    (2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gate_parameters(
            3, input_size, hidden_size, bias
        )

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I), h_{t-1} (B, H) -> h_t (B, H)."""
        h = state
        from_x = linear(x, self.weight_ih, self.bias_ih)
        from_h = linear(h, self.weight_hh, self.bias_hh)
        x_r, x_z, x_n = ops.split(from_x, 3, axis=-1)
        h_r, h_z, h_n = ops.split(from_h, 3, axis=-1)
        r = ops.sigmoid(x_r + h_r).named("reset gate")
        z = ops.sigmoid(x_z + h_z).named("update gate")
        n = ops.tanh(x_n + r * h_n).named("candidate")
        new: Tensor = ((1 - z) * n + z * h).named("h")
        return new


class GRU(StackedRecurrent):
    """The gated recurrent unit over sequences. See `GRUCell`, and `Recurrent` for the `options`.

    >>> import tinygrad_rnn as tg
    >>> outputs, h = tg.nn.GRU(3, 4)(tg.zeros(5, 2, 3))
    >>> outputs.shape, h.shape
    ((5, 2, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        options.update(batch_first=batch_first, dropout=dropout, bidirectional=bidirectional)
        super().__init__(GRUCell(input_size, hidden_size, bias), num_layers, options)
