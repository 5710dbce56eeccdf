"""Simple gated recurrent network (2021)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["SGRNCell"]


class SGRNCell(PublishedCell):
    """One matrix for the input and one for the state; the input gate is 1 - the forget gate.

    f_t = s(W x_t + b_x + U h_{t-1} + b_h)            forget gate  (1)
    i_t = 1 - f_t                                     input gate   (2)
    h_t = tanh(i_t * (W x_t + b_x) + f_t * h_{t-1})                (3)

    IET Generation, Transmission & Distribution 2021, doi:10.1049/gtd2.12056. weight_ih (H, I) and
    weight_hh (H, H), uniform in +-1 / sqrt(H); bias_ih, b_x, and bias_hh, b_h, zero. The equations
    are those of torchrecurrent and of LuxRecurrentLayers.jl, by the same author; an earlier version
    of the latter has no b_x in (3).

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.SGRNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=1, hh=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        w_x = linear(x, self.weight_ih, self.bias_ih)
        f = ops.sigmoid(w_x + linear(h, self.weight_hh, self.bias_hh)).named("forget gate")
        new: Tensor = ops.tanh((1 - f) * w_x + f * h).named("h")
        return new
