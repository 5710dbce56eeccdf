"""The nonlinearities of networks, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.op import op
from ...engine.primitives.protocol import implements

Array = Any  # an ndarray, a number; in the gradient rules also a Tensor

elementwise = op(elementwise=True)


@implements(np.tanh)
@elementwise
def tanh(x: Array) -> Array:
    """tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    >>> import tinygrad_rnn as tg
    >>> tg.tanh(tg.tensor([-100.0, 0.0, 1.0])).data.round(3)
    array([-1.   ,  0.   ,  0.762], dtype=float32)
    """
    return np.tanh(x)


tanh.vjp(lambda grad, out, x: grad - grad * out * out)


@implements("sigmoid")
@op(elementwise=True, symbol="σ")
def sigmoid(x: Array) -> Array:
    """The logistic function 1 / (1 + exp(-x)), as a tanh, which never overflows.

    >>> import tinygrad_rnn as tg
    >>> tg.sigmoid(tg.tensor([-100.0, 0.0, 1.0])).data.round(3)
    array([0.   , 0.5  , 0.731], dtype=float32)
    """
    return 0.5 * np.tanh(0.5 * x) + 0.5


@sigmoid.vjp
def _(grad: Array, out: Array, x: Array) -> Array:
    scaled = grad * out
    return scaled - scaled * out  # grad * out * (1 - out), without a number to convert


@implements("relu")
@elementwise
def relu(x: Array) -> Array:
    """max(x, 0); the gradient at 0 is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.relu(tg.tensor([-1.0, 2.0]))
    tensor([0., 2.], dtype=float32)
    """
    return np.maximum(x, 0)


relu.vjp(lambda grad, out, x: grad * np.greater(x, 0))


@elementwise
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    """x where positive, `negative_slope` * x elsewhere (Maas et al. 2013).

    >>> import tinygrad_rnn as tg
    >>> tg.leaky_relu(tg.tensor([-1.0, 2.0]), negative_slope=0.1)
    tensor([-0.1,  2. ], dtype=float32)
    """
    return np.where(np.greater(x, 0), x, negative_slope * x)


leaky_relu.vjp(
    lambda grad, out, x, negative_slope: np.where(np.greater(x, 0), grad, negative_slope * grad)
)


@elementwise
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """x where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016).

    >>> import tinygrad_rnn as tg
    >>> tg.elu(tg.tensor([-1.0, 2.0])).data.round(3)
    array([-0.632,  2.   ], dtype=float32)
    """
    return np.where(np.greater(x, 0), x, alpha * np.expm1(np.minimum(x, 0)))


elu.vjp(
    lambda grad, out, x, alpha: (
        grad * np.where(np.greater(x, 0), 1, alpha * np.exp(np.minimum(x, 0)))
    )
)


@elementwise
def silu(x: Array) -> Array:
    """x * sigmoid(x), also called swish (Elfwing et al. 2017).

    >>> import tinygrad_rnn as tg
    >>> tg.silu(tg.tensor([-1.0, 2.0])).data.round(3)
    array([-0.269,  1.762], dtype=float32)
    """
    return x * sigmoid(x)


@silu.vjp
def _(grad: Array, out: Array, x: Array) -> Array:
    s = sigmoid(x)
    return grad * (s + out * (1.0 - s))


_GELU_SCALE = float(np.sqrt(2.0 / np.pi))


@elementwise
def gelu(x: Array) -> Array:
    """Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016).

    >>> import tinygrad_rnn as tg
    >>> tg.gelu(tg.tensor([-1.0, 2.0])).data.round(3)
    array([-0.159,  1.955], dtype=float32)
    """
    return 0.5 * x * (1.0 + np.tanh(_GELU_SCALE * (x + 0.044715 * x * x * x)))


@gelu.vjp
def _(grad: Array, out: Array, x: Array) -> Array:
    t = np.tanh(_GELU_SCALE * (x + 0.044715 * x * x * x))
    slope = _GELU_SCALE * (1.0 + 3 * 0.044715 * x * x)
    return grad * 0.5 * (1.0 + t + x * (1.0 - t * t) * slope)


@elementwise
def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow.

    >>> import tinygrad_rnn as tg
    >>> tg.softplus(tg.tensor([-1000.0, 1000.0]))
    tensor([   0., 1000.], dtype=float32)
    """
    return np.maximum(x, 0) + np.log1p(np.exp(np.minimum(x, 0) - np.maximum(x, 0)))


softplus.vjp(lambda grad, out, x: grad * sigmoid(x))


def log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x)) = -softplus(-x), accurate where the sigmoid is tiny.

    >>> import tinygrad_rnn as tg
    >>> tg.log_sigmoid(tg.tensor([-1000.0, 1000.0])) + 0.0
    tensor([-1000.,     0.], dtype=float32)
    """
    return -softplus(-x)
