"""Structurally constrained recurrent network (Mikolov et al. 2014)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["SCRNCell"]


class SCRNCell(PublishedCell):
    """A plain RNN with a slowly changing context, a moving average of the inputs.

    s_t = (1 - alpha) B x_t + alpha s_{t-1}           context      (1)
    h_t = s(P s_t + A x_t + R h_{t-1})                hidden       (2)
    y_t = U h_t + V s_t                               output       (3)

    Mikolov, Joulin, Chopra, Mathieu & Ranzato 2014, "Learning Longer Memory in Recurrent Neural
    Networks", arXiv:1412.7753, section 3.2. `alpha` is 0.95, as in the paper; the softmax that the
    paper applies in (3) is left to the loss. weight_ih (H, I), A, weight_hh (H, H), R, weight_xs
    (H, I), B, weight_sh (H, H), P, weight_hy (H, H), U, and weight_sy (H, H), V, uniform in +-1 /
    sqrt(H); no biases. The state is (h, s). (torchrecurrent 0.2.5 feeds back tanh(y_t) instead of
    h_t, and learns alpha.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.SCRNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (
        Bounded(0, 1, leaf=0),
        Affine(leaf=1),
        Diagonal(leaf=1),
    )
    state_names = ("h", "s")

    def __init__(self, input_size: int, hidden_size: int, alpha: float = 0.95) -> None:
        self.weights(input_size, hidden_size, ih=1, hh=1, bias_ih=0, bias_hh=0)
        self.alpha = alpha
        bound = hidden_size**-0.5
        self.weight_xs = uniform(hidden_size, input_size, bound=bound)
        self.weight_sh = uniform(hidden_size, hidden_size, bound=bound)
        self.weight_hy = uniform(hidden_size, hidden_size, bound=bound)
        self.weight_sy = uniform(hidden_size, hidden_size, bound=bound)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x (B, I) and the state, each leaf (B, H) -> the output y (B, H) and the next state."""
        h, s = state
        s = ((1 - self.alpha) * linear(x, self.weight_xs) + self.alpha * s).named("context")
        fast = linear(x, self.weight_ih) + linear(h, self.weight_hh)
        h = ops.sigmoid(linear(s, self.weight_sh) + fast).named("h")
        return linear(h, self.weight_hy) + linear(s, self.weight_sy), (h, s)
