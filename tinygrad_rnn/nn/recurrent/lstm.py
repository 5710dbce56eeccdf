"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...engine.tensor import Tensor
from ..functional import linear
from .cell import Cell
from .rnn import gate_parameters
from .stacked import StackedRecurrent

__all__ = ["LSTM", "LSTMCell"]


class LSTMCell(Cell):
    """Long short-term memory: its cell state c bypasses the nonlinearities from step to step.

    f = s(W_f x_t + U_f h_{t-1} + b_f)       forget gate: what to keep of c_{t-1}
    i = s(W_i x_t + U_i h_{t-1} + b_i)       input gate: what to write
    g = tanh(W_g x_t + U_g h_{t-1} + b_g)    candidate: what could be written
    c_t = f * c_{t-1} + i * g                cell update
    o = s(W_o x_t + U_o h_{t-1} + b_o)       output gate: what to show
    h_t = o * tanh(c_t)

    weight_ih (4H, I) and weight_hh (4H, H) hold the gates in the order i, f, g, o; bias_ih and
    bias_hh (4H,); all start uniform in +-1 / sqrt(H), as in PyTorch.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.LSTMCell(3, 4)
    >>> h, c = cell(tg.zeros(2, 3), (tg.zeros(2, 4), tg.zeros(2, 4)))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gate_parameters(
            4, input_size, hidden_size, bias
        )

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(h_0, c_0): zeros (B, H)."""
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I), (h_{t-1}, c_{t-1}) -> (h_t, c_t), each (B, H)."""
        h, c = state
        gates = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        i = ops.sigmoid(i).named("input gate")
        f = ops.sigmoid(f).named("forget gate")
        g = ops.tanh(g).named("candidate")
        o = ops.sigmoid(o).named("output gate")
        c = (f * c + i * g).named("c")
        h = (o * ops.tanh(c)).named("h")
        return h, c


class LSTM(StackedRecurrent):
    """Long short-term memory over sequences. See `LSTMCell`, and `Recurrent` for the `options`.

    >>> import tinygrad_rnn as tg
    >>> outputs, (h, c) = tg.nn.LSTM(3, 4, bidirectional=True)(tg.zeros(5, 2, 3))
    >>> outputs.shape, h.shape, c.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
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
        super().__init__(LSTMCell(input_size, hidden_size, bias), num_layers, options)
