"""The LSTM as it was first published (Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded, Carousel
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["OriginalLSTMCell"]


class OriginalLSTMCell(PublishedCell):
    """An LSTM without a forget gate: errors flow back through the cell state unchanged.

    i_t = s(W_i x_t + U_i h_{t-1} + b_i)              input gate   (1)
    g_t = 4 s(W_g x_t + U_g h_{t-1} + b_g) - 2        candidate    (2)
    o_t = s(W_o x_t + U_o h_{t-1} + b_o)              output gate  (3)
    c_t = c_{t-1} + i_t * g_t                                      (4)
    h_t = o_t * (2 s(c_t) - 1)                                     (5)

    Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", Neural Computation 9(8), appendix A.1:
    its equations (3) to (5) define s and the two squashing functions. weight_ih (3H, I) and
    weight_hh (3H, H) in the order i, g, o, uniform in +-0.1, as in the paper's experiments; biases
    zero. Memory cell blocks have size one. (torchrecurrent 0.2.5 squashes with tanh in both places;
    here (2) is 2 tanh(a / 2) and (5) tanh(c / 2).)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.OriginalLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Carousel(leaf=1), Bounded(-1, 1, leaf=0))
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3, hh=3, bound=0.1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        both = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        i, g, o = ops.split(both, 3, axis=-1)
        i = ops.sigmoid(i).named("input gate")
        g = (4 * ops.sigmoid(g) - 2).named("candidate")
        o = ops.sigmoid(o).named("output gate")
        c = (c + i * g).named("c")
        return (o * (2 * ops.sigmoid(c) - 1)).named("h"), c
