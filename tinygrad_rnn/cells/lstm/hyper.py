"""HyperLSTM: a small LSTM scales the weights of a large one at every step (Ha et al. 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn import init
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import layer_norm, linear
from ...nn.layers import LayerNorm, empty_parameter
from ...nn.recurrent.cell import Cell
from ..parameters import constant, normal, zeros

__all__ = ["HyperLSTMCell"]

State = tuple[Tensor, Tensor, Tensor, Tensor]


class HyperLSTMCell(Cell):
    """An LSTM whose weight rows are scaled at every step by a smaller LSTM, k.

    z_h = W_kh k_{t-1} + b_kh,  z_x = W_kx k_{t-1} + b_kx,  z_b = W_kb k_{t-1}    (11)
    y = LN((W_hz z_h) * (W_h h_{t-1}) + (W_xz z_x) * (W_x x_t) + W_bz z_b + b_0)  (12)
    c_t = s(f) * c_{t-1} + s(i) * tanh(g)                                         (13)
    h_t = s(o) * tanh(LN(c_t))

    where y is each of the gates i, f, g, o, with its own weights. k is the hidden state of a
    layer-normalised LSTM whose input is (h_{t-1}, x_t) and whose gates are normalised separately
    (10).

    Ha, Dai & Le 2017, "HyperNetworks", ICLR, arXiv:1609.09106, appendix A.2.2, without dropout.
    `hyper_size` K and `embedding_size` Z: the sizes of k and of each z (the paper: 128 and 4 for
    1000 units). Initial values of A.2.3: orthogonal weight_ih (4H, I), weight_hh (4H, H) and the
    small LSTM's hyper_weight_ih (4K, H + I), hyper_weight_hh (4K, K); weight_zh and weight_zx (4Z,
    K) zero with biases one; weight_zb (4Z, K) normal with standard deviation 0.01; scale_h and
    scale_x (4, H, Z) 0.1 / Z; shift (4, H, Z) and all other biases zero. Gates are in the order i,
    f, g, o. The state is (h, c, k, the small LSTM's c). (The authors' supercell.py uses the new k_t
    in equation 11 and adds one to the forget gate.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.HyperLSTMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0), Affine(leaf=1), Diagonal(leaf=1))

    def __init__(
        self, input_size: int, hidden_size: int, hyper_size: int = 4, embedding_size: int = 4
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.hyper_size, self.embedding_size = hyper_size, embedding_size
        self.weight_ih = _orthogonal(hidden_size, input_size)
        self.weight_hh = _orthogonal(hidden_size, hidden_size)
        self.bias = zeros(4, hidden_size)
        self.norm_gain = constant(4, hidden_size, value=1.0)
        self.norm_bias = zeros(4, hidden_size)
        self.norm_c = LayerNorm(hidden_size)
        self.hyper_weight_ih = _orthogonal(hyper_size, hidden_size + input_size)
        self.hyper_weight_hh = _orthogonal(hyper_size, hyper_size)
        self.hyper_bias = zeros(4 * hyper_size)
        self.hyper_norm_gain = constant(4, hyper_size, value=1.0)
        self.hyper_norm_bias = zeros(4, hyper_size)
        self.hyper_norm_c = LayerNorm(hyper_size)
        self.weight_zh = zeros(4 * embedding_size, hyper_size)
        self.bias_zh = constant(4 * embedding_size, value=1.0)
        self.weight_zx = zeros(4 * embedding_size, hyper_size)
        self.bias_zx = constant(4 * embedding_size, value=1.0)
        self.weight_zb = normal(4 * embedding_size, hyper_size, std=0.01)
        self.scale_h = constant(4, hidden_size, embedding_size, value=0.1 / embedding_size)
        self.scale_x = constant(4, hidden_size, embedding_size, value=0.1 / embedding_size)
        self.shift = zeros(4, hidden_size, embedding_size)

    def initial_state(self, batch_size: int) -> State:
        """(h_0, c_0), (B, H) each, and the small LSTM's, (B, K) each: zeros."""
        large = self.zeros(batch_size, self.hidden_size)
        small = self.zeros(batch_size, self.hyper_size)
        return large, large, small, small

    def forward(self, x: Tensor, state: State) -> State:
        """x (B, I) and the state -> the next state."""
        h, c, k, small_c = state
        d_h = _for_each_gate(linear(k, self.weight_zh, self.bias_zh), self.scale_h)
        d_x = _for_each_gate(linear(k, self.weight_zx, self.bias_zx), self.scale_x)
        shift = _for_each_gate(linear(k, self.weight_zb), self.shift) + self.bias
        d_h, d_x = d_h.named("scale of W_h"), d_x.named("scale of W_x")
        gates = d_h * _by_gate(linear(h, self.weight_hh)) + d_x * _by_gate(
            linear(x, self.weight_ih)
        )
        gates = _normalised(gates + shift, self.norm_gain, self.norm_bias)
        h_new, c = _lstm(gates, c, self.norm_c, "")

        both = linear(ops.concatenate([h, x], axis=-1), self.hyper_weight_ih, self.hyper_bias)
        gates = _by_gate(both + linear(k, self.hyper_weight_hh))
        gates = _normalised(gates, self.hyper_norm_gain, self.hyper_norm_bias)
        k, small_c = _lstm(gates, small_c, self.hyper_norm_c, "small ")
        return h_new, c, k, small_c


def _orthogonal(rows: int, columns: int) -> Tensor:
    """Four orthogonal matrices, stacked."""
    weight = empty_parameter(4 * rows, columns)
    for gate in range(4):
        part = init.orthogonal_(empty_parameter(rows, columns))
        weight.data[gate * rows : (gate + 1) * rows] = part.data
    return weight


def _by_gate(gates: Tensor) -> Tensor:
    """(B, 4 * size) -> (B, 4, size)."""
    apart: Tensor = ops.reshape(gates, (gates.shape[0], 4, gates.shape[-1] // 4))
    return apart


def _for_each_gate(z: Tensor, weight: Tensor) -> Tensor:
    """z (B, 4Z), by each gate's matrix of weight (4, H, Z) -> (B, 4, H)."""
    product: Tensor = ops.einsum("bgz,ghz->bgh", _by_gate(z), weight)
    return product


def _normalised(gates: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return layer_norm(gates, gates.shape[-1:]) * gain + bias


def _lstm(gates: Tensor, c: Tensor, norm_c: LayerNorm, which: str) -> tuple[Tensor, Tensor]:
    i, f, g, o = ops.unstack(gates, axis=1)
    i = ops.sigmoid(i).named(f"{which}input gate")
    f = ops.sigmoid(f).named(f"{which}forget gate")
    g = ops.tanh(g).named(f"{which}candidate")
    o = ops.sigmoid(o).named(f"{which}output gate")
    c = (f * c + i * g).named(f"{which}c")
    return (o * ops.tanh(norm_c(c))).named(f"{which}h"), c
