"""ConvLSTM (Shi et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import as_weights
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["ConvLSTMCell"]

State = tuple[Tensor, Tensor]


class ConvLSTMCell(Cell):
    """An LSTM on images: states are feature maps, and the products are convolutions.

    i = s(W_xi * x_t + W_hi * h_{t-1} + p_i . c_{t-1} + b_i)   (3), *: convolution
    f = s(W_xf * x_t + W_hf * h_{t-1} + p_f . c_{t-1} + b_f)        .: elementwise
    g = tanh(W_xg * x_t + W_hg * h_{t-1} + b_g)
    c_t = f . c_{t-1} + i . g
    o = s(W_xo * x_t + W_ho * h_{t-1} + p_o . c_t + b_o)
    h_t = o . tanh(c_t)

    Shi, Chen, Wang, Yeung, Wong & Woo 2015, "Convolutional LSTM Network: A Machine Learning
    Approach for Precipitation Nowcasting", NeurIPS, arXiv:1506.04214. `input_size` I and
    `hidden_size` H: channels of x (B, I, height, width) and of h and c; `image_size`: (height,
    width); `kernel_size`: odd, so that zero padding keeps the size of the maps. weight_ih (4H, I,
    k, k) and weight_hh (4H, H, k, k) in the order i, f, g, o, uniform in +-1 / sqrt(k k H);
    weight_ph (3, H, height, width), the peepholes of i, f, o, and biases (4H,) zero (the paper
    gives no initial values; Keras and Flax omit the peepholes).

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.ConvLSTMCell(1, 4, image_size=(6, 6))
    >>> outputs, [(h, c)] = tg.nn.Recurrent(cell)(tg.zeros(5, 2, 1, 6, 6))
    >>> outputs.shape, c.shape
    ((5, 2, 4, 6, 6), (2, 4, 6, 6))
    """

    claims = (Bounded(-1, 1, leaf=0),)

    feature_axis = -3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        image_size: Sequence[int] = (8, 8),
        kernel_size: int = 3,
    ) -> None:
        if not kernel_size % 2:
            raise ValueError(
                f"kernel_size must be odd, so that maps keep their size: {kernel_size}"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.image_size = tuple(image_size)
        self.kernel_size = kernel_size
        k, bound = kernel_size, (kernel_size**2 * hidden_size) ** -0.5
        self.weight_ih = uniform(4 * hidden_size, input_size, k, k, bound=bound)
        self.weight_hh = uniform(4 * hidden_size, hidden_size, k, k, bound=bound)
        self.weight_ph = zeros(3, hidden_size, *self.image_size)
        self.bias_ih = zeros(4 * hidden_size)

    def initial_state(self, batch_size: int) -> State:
        """(h_0, c_0): zeros (B, H, height, width)."""
        zeros = self.zeros(batch_size, self.hidden_size, *self.image_size)
        return zeros, zeros

    def forward(self, x: Tensor, state: State) -> State:
        """x (B, I, height, width) and the state -> the next state."""
        h, c = state
        around = self.kernel_size // 2
        x = as_weights(x, h.dtype)
        gates = ops.conv2d(x, self.weight_ih, self.bias_ih, padding=around)
        gates = gates + ops.conv2d(h, self.weight_hh, padding=around)
        i, f, g, o = ops.split(gates, 4, axis=-3)
        p_i, p_f, p_o = ops.unstack(self.weight_ph)
        i = ops.sigmoid(i + p_i * c).named("input gate")
        f = ops.sigmoid(f + p_f * c).named("forget gate")
        g = ops.tanh(g).named("candidate")
        c = (f * c + i * g).named("c")
        o = ops.sigmoid(o + p_o * c).named("output gate")
        return (o * ops.tanh(c)).named("h"), c
