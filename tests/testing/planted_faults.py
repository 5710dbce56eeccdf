"""Faults to plant: functions whose value is right and whose gradient, written by hand, is not.

Each is what people get wrong: an op's rule, one line of an LSTM's backward step, the time loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg

Arrays = tuple[Any, ...]


class Fault(NamedTuple):
    """A function of arrays, its wrong gradient `backward(grad, *arrays)`, and a point."""

    level: str
    name: str
    value: Callable[..., Any]
    backward: Callable[..., Arrays]
    point: Arrays

    def op(self) -> tg.Op:
        """The function as an op of this package."""

        @tg.op
        def planted(*xs: Any) -> Any:
            return self.value(*xs)

        planted.vjp(xs=lambda grad, out, *xs, position: self.backward(grad, *xs)[position])
        return planted


_rng = np.random.default_rng(0)
_X, _W, _B = _rng.normal(size=(3, 3)), _rng.normal(size=(3, 3)), _rng.normal(size=3)
_TABLE, _ROWS = _rng.normal(size=(4, 2)), np.array([1, 3, 1])


def sigmoid(x: Any) -> Any:
    return 0.5 * np.tanh(0.5 * x) + 0.5


def softmax(x: Any) -> Any:
    e = np.exp(x)
    return e / np.sum(e, axis=-1, keepdims=True)


def _softmax_backward(grad: Any, x: Any) -> Arrays:
    y = softmax(x)
    return (y * (grad - np.sum(grad * y, -1, keepdims=True)),)


def _assigned(grad: Any, table: Any) -> Arrays:
    wrong = np.zeros_like(table)
    wrong[_ROWS] = grad
    return (wrong,)


def _one_element(grad: Any, x: Any) -> Arrays:
    right = grad * (1 - np.tanh(x) ** 2)
    right[1, 2] *= 1 + 1e-5
    return (right,)


def _op(name: str, value: Any, backward: Any, *point: Any) -> Fault:
    return Fault("op", name, value, backward, point or (_X,))


def _tanh_prime(x: Any) -> Any:
    return 1 - np.tanh(x) ** 2


OPS = [
    _op("sigmoid: sign", sigmoid, lambda g, x: (-g * sigmoid(x) * (1 - sigmoid(x)),)),
    _op("sigmoid: factor 1 - s missing", sigmoid, lambda g, x: (g * sigmoid(x),)),
    _op("tanh: 1 - x^2 for 1 - tanh(x)^2", np.tanh, lambda g, x: (g * (1 - x * x),)),
    _op("tanh: factor 1 + 1e-7", np.tanh, lambda g, x: (g * _tanh_prime(x) * (1 + 1e-7),)),
    _op("tanh: 1e-8 added", np.tanh, lambda g, x: (g * _tanh_prime(x) + 1e-8,)),
    _op("tanh: one element off by 1e-5 of itself", np.tanh, _one_element),
    _op("tanh(1e-4 x): sign", lambda x: np.tanh(1e-4 * x), lambda g, x: (-1e-4 * g,)),
    _op("exp(-20 - x^2): zero", lambda x: np.exp(-20 - x * x), lambda g, x: (0 * g,)),
    _op("matmul: weight transposed", np.matmul, lambda g, x, w: (g @ w, x.T @ g), _X, _W),
    _op("matmul: gradient transposed", np.matmul, lambda g, x, w: (g @ w.T, g.T @ x), _X, _W),
    _op("add: sum over the batch missing", np.add, lambda g, x, b: (g, g[0]), _X, _B),
    _op("add: mean over the batch", np.add, lambda g, x, b: (g, g.mean(0)), _X, _B),
    _op("softmax: sum not subtracted", softmax, lambda g, x: (g * softmax(x),)),
    _op(
        "softmax: sum over the wrong axis",
        softmax,
        lambda g, x: (softmax(x) * (g - np.sum(g * softmax(x), 0, keepdims=True)),),
    ),
    _op("sum(axis=0): spread along axis 1", lambda x: np.sum(x, 0), lambda g, x: (_column(g),)),
    _op("cumsum: not reversed", lambda x: np.cumsum(x, 0), lambda g, x: (np.cumsum(g, 0),)),
    _op(
        "concatenate: parts exchanged",
        lambda x, w: np.concatenate([x, w]),
        lambda g, x, w: (g[3:], g[:3]),
        _X,
        _W,
    ),
    _op("embedding: repeated row not added up", lambda table: table[_ROWS], _assigned, _TABLE),
]


def _column(g: Any) -> Any:
    return np.broadcast_to(g[:, None], (3, 3))


# An LSTM by hand, forward and backward through time; gates i, f, g, o


def lstm(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Any:
    """Outputs (T, B, H) for x (T, B, I)."""
    return np.stack([step[-1] for step in _lstm_steps(x, h, c, w, u, b)])


def _lstm_steps(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Iterator[Arrays]:
    for x_t in x:
        before = h, c
        i, f, g, o = np.split(x_t @ w.T + h @ u.T + b, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        yield (*before, i, f, g, o, c, h)


def lstm_backward(
    grad: Any, x: Any, h0: Any, c0: Any, w: Any, u: Any, b: Any, fault: str = ""
) -> Arrays:
    """The gradients of `sum(grad * lstm(...))`, with one fault."""
    steps = list(_lstm_steps(x, h0, c0, w, u, b))
    size, last = h0.shape[-1], len(x) - 1
    dh, dc = np.zeros_like(h0), np.zeros_like(c0)
    dx, dw, du, db = (np.zeros_like(a) for a in (x, w, u, b))
    for t in range(last, -1, -1):
        h_before, c_before, i, f, g, o, c, h = steps[t]
        if fault == "stale gate: f of the step before" and t:
            f = steps[t - 1][3]
        if not (fault == "outputs counted at the last step alone" and t < last):
            dh = dh + grad[t]
        if fault == "gradient clipped at each step":
            dh = np.clip(dh, -1, 1)
        tanh_c = c if fault == "c for tanh(c)" else np.tanh(c)
        do = dh * tanh_c
        if fault != "h's path into c dropped":
            dc = dc + dh * o * (1 - tanh_c * tanh_c)
        c_read = c if fault == "off by one in time: c_t for c_{t-1}" else c_before
        di, df, dg = dc * g, dc * c_read, dc * i
        if fault == "i and f exchanged in the backward only":
            di, df = df, di
        if fault == "sign of the forget gate":
            df = -df
        if fault == "factor 1 + 1e-7 at the forget gate":
            df = df * (1 + 1e-7)
        if fault == "gate's derivative without its factor":
            dz_i = di
        else:
            dz_i = di * i * (1 - i)
        dz_g = dg * (g * (1 - g) if fault == "candidate treated as a sigmoid" else 1 - g * g)
        dz = np.concatenate([dz_i, df * f * (1 - f), dz_g, do * o * (1 - o)], axis=-1)
        u_read = u
        if fault == "recurrent weight transposed, gate by gate":
            u_read = np.concatenate([block.T for block in np.split(u, 4)])
        dx[t] = dz @ w
        counted = not (
            (fault == "first step missing in the weights' gradient" and t == 0)
            or (fault == "last step missing in the weights' gradient" and t == last)
        )
        if counted:
            dw += dz.T @ x[t]
            du += dz.T @ (h if fault == "off by one in time: h_t for h_{t-1}" else h_before)
            db += dz[0] if fault == "sum over the batch missing in the bias" else dz.sum(0)
        dh, dc = dz @ u_read, dc * f
        if fault == "gradient of the c path dropped":
            dc = 0 * dc
        if fault == "gradient of the h path dropped":
            dh = 0 * dh
        if fault == "gates without the recurrent weight of o":
            dh = dz[:, : 3 * size] @ u[: 3 * size]
        if fault == "truncated after 3 steps" and t == last - 2:
            dh, dc = 0 * dh, 0 * dc
        if fault == "carried in float16":
            dh = dh.astype(np.float16).astype(dh.dtype)
    if fault == "off by one in time: dx a step late":
        dx = np.roll(dx, 1, axis=0)
    if fault == "initial h without gradient":
        dh = 0 * dh
    if fault == "initial c without gradient":
        dc = 0 * dc
    return dx, dh, dc, dw, du, db


_CELL_FAULTS = [
    "sign of the forget gate",
    "i and f exchanged in the backward only",
    "stale gate: f of the step before",
    "gradient of the c path dropped",
    "gradient of the h path dropped",
    "h's path into c dropped",
    "c for tanh(c)",
    "off by one in time: c_t for c_{t-1}",
    "candidate treated as a sigmoid",
    "gate's derivative without its factor",
    "gates without the recurrent weight of o",
    "recurrent weight transposed, gate by gate",
    "sum over the batch missing in the bias",
    "factor 1 + 1e-7 at the forget gate",
]
_LAYER_FAULTS = [
    "off by one in time: h_t for h_{t-1}",
    "off by one in time: dx a step late",
    "first step missing in the weights' gradient",
    "last step missing in the weights' gradient",
    "outputs counted at the last step alone",
    "truncated after 3 steps",
    "gradient clipped at each step",
    "carried in float16",
    "initial h without gradient",
    "initial c without gradient",
]


def lstm_point(steps: int = 4, rows: int = 2, inputs: int = 2, hidden: int = 2) -> Arrays:
    """x, h, c, w, u and b at random."""
    rng = np.random.default_rng(1)
    sizes = [
        (steps, rows, inputs),
        *[(rows, hidden)] * 2,
        (4 * hidden, inputs),
        (4 * hidden, hidden),
        (4 * hidden,),
    ]
    return tuple(rng.normal(size=size) for size in sizes)


def lstm_fault(level: str, name: str) -> Fault:
    """The LSTM above with the fault of that name; "" for none."""

    def backward(grad: Any, *arrays: Any) -> Arrays:
        return lstm_backward(grad, *arrays, fault=name)

    return Fault(level, f"LSTM: {name}", lstm, backward, lstm_point())


LSTMS = [lstm_fault("cell", name) for name in _CELL_FAULTS]
LSTMS += [lstm_fault("layer", name) for name in _LAYER_FAULTS]


# A plain RNN whose backpropagation through time is cut


def rnn(x: Any, w: Any, u: Any) -> Any:
    """The last state (B, H) for x (T, B, I), from 0."""
    return rnn_states(x, w, u)[-1]


def rnn_states(x: Any, w: Any, u: Any) -> list[Any]:
    states = [np.zeros((x.shape[1], len(u)))]
    for x_t in x:
        states.append(np.tanh(x_t @ w + states[-1] @ u))
    return states


def rnn_backward(grad: Any, x: Any, w: Any, u: Any, cut: int | None = None) -> Arrays:
    """The gradients of `sum(grad * rnn(x, w, u))`; that of the state after step `cut` is 0."""
    states = rnn_states(x, w, u)
    dx, dw, du = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
    for t in range(len(x) - 1, -1, -1):
        if t == cut:
            grad = 0 * grad
        dz = grad * (1 - states[t + 1] ** 2)
        dx[t] = dz @ w.T
        dw += x[t].T @ dz
        du += states[t].T @ dz
        grad = dz @ u.T
    return dx, dw, du


def cuts(steps: int) -> list[Fault]:
    """The network with its gradient cut at each step."""
    rng = np.random.default_rng(0)
    point = rng.normal(size=(steps, 1, 2)), rng.normal(size=(2, 3)), 0.45 * rng.normal(size=(3, 3))

    def fault(step: int) -> Fault:
        def backward(grad: Any, *arrays: Any) -> Arrays:
            return rnn_backward(grad, *arrays, cut=step)

        return Fault("layer", f"RNN of {steps} steps, cut at {step}", rnn, backward, point)

    return [fault(step) for step in range(steps)]
