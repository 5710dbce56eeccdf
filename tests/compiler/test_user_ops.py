"""A scan gives the numbers of the unrolled run: cells with ops that a user has declared."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg

H, T, B = 3, 5, 2
X = np.random.default_rng(0).standard_normal((T, B, 2))


@tg.op
def rotate(x):
    """No lift rule: runs step by step."""
    return np.roll(x, 1, axis=-1)


rotate.vjp(lambda grad, out, x: np.concatenate([grad[..., 1:], grad[..., :1]], -1))


@tg.op
def rowsum(x):
    """With a lift rule."""
    return np.sum(x, axis=-1, keepdims=True)


rowsum.vjp(lambda grad, out, x: np.broadcast_to(grad, x.shape))
rowsum.lift(lambda steps, time_varying, x: np.sum(x, axis=-1, keepdims=True))


@tg.op
def halves(x):
    """Several outputs, of which the gradient of one may be missing; no lift rule."""
    middle = x.shape[-1] // 2
    return x[..., :middle] * 2.0, np.tanh(x[..., middle:])


@halves.vjp
def _(grad, out, x):
    return np.concatenate([2.0 * grad[0], grad[1] * (1.0 - out[1] ** 2)], -1)


@tg.op(elementwise=True)
def bump(x, *, width=1.0):
    """An elementwise op of a user, in words that symbols do not know."""
    flat = np.asarray(x).astype(x.dtype)
    return np.where(np.abs(flat) < width, flat * flat, flat)


bump.vjp(lambda grad, out, x, width: grad * np.where(np.abs(x) < width, 2 * x, 1))


@tg.op
def weighed(x, *, weights=None):
    """An attribute that is an array."""
    return x * weights


weighed.vjp(lambda grad, out, x, weights: grad * weights)


@tg.op
def flat_square(x):
    """A gradient that views at the saved value in another shape."""
    return x * x


flat_square.vjp(lambda grad, out, x: np.reshape(2.0 * np.reshape(x, -1), x.shape) * grad)


@tg.op
def inverse(x):
    """Refuses most arrays: it must never be tried on made-up ones."""
    if not np.isfinite(x).all() or np.abs(x).max(initial=0.0) > 100:
        raise ValueError("no such numbers ever came from the cell")
    return 1.0 / (2.0 + x * x)


inverse.vjp(lambda grad, out, x: -2.0 * grad * x * out**2)


@tg.op(elementwise=True)
def asking(x):
    """An elementwise op that asks its array what only arrays know."""
    return x * x if x.size > 1 and (x == x).all() else x


asking.vjp(lambda grad, out, x: 2 * grad * x)


@tg.op
def badly_lifted(x):
    return x * 2.0


badly_lifted.vjp(lambda grad, out, x: 2.0 * grad)
badly_lifted.lift(lambda steps, time_varying, x: x.no_such_attribute)


@tg.op
def wrongly_lifted(x):
    return x[:1]


wrongly_lifted.vjp(lambda grad, out, x: np.concatenate([grad, np.zeros_like(x[1:])]))
wrongly_lifted.lift(lambda steps, time_varying, x: x[:1])


def linear(cell, x, h):
    return x @ cell.w + h @ cell.u + cell.b


PLAIN = {"w": (2, H), "u": (H, H), "b": (H,)}
CELLS: dict[str, tuple] = {}


def step(**shapes):
    """Mark a function as the step of a cell."""

    def mark(function):
        CELLS[function.__name__] = (function, shapes)
        return function

    return mark


@step(**PLAIN)
def user_op_without_lift(cell, x, h):
    return tg.tanh(linear(cell, rotate(x), rotate(h)) + rotate(x @ cell.w))


@step(**PLAIN)
def user_op_with_lift(cell, x, h):
    return tg.tanh(linear(cell, rowsum(x) * x, h) + rowsum(h))


@step(w=(2, 2 * H), u=(H, 2 * H), b=(2 * H,))
def user_op_of_several_outputs(cell, x, h):
    a, b = halves(linear(cell, x, h))
    return tg.tanh(a + b * h)


@step(w=(2, 2 * H), u=(H, 2 * H), b=(2 * H,))
def one_of_several_outputs(cell, x, h):
    return halves(linear(cell, x, h))[1] + halves(x @ cell.w)[1]


@step(**PLAIN)
def user_op_elementwise(cell, x, h):
    return tg.tanh(bump(linear(cell, bump(x), h), width=0.5) + bump(x @ cell.w))


@step(**PLAIN)
def array_attributes_that_print_alike(cell, x, h):
    one, other = np.full(H, 0.1), np.array([0.1, 0.1, 0.1 + 1e-9])
    z = linear(cell, x, h)
    return tg.tanh((weighed(z, weights=other) - weighed(z, weights=one)) * 1e9 + z)


@step(**PLAIN)
def long_array_attributes(cell, x, h):
    ones = np.ones(3000, h.dtype)
    other = np.where(np.arange(3000) == 1500, 2.0, 1.0).astype(h.dtype)
    z = tg.tile(linear(cell, x, h), 1000)
    return tg.tanh((weighed(z, weights=other) - weighed(z, weights=ones))[..., 1500:1503] + h)


@step(**PLAIN)
def vjp_that_reshapes(cell, x, h):
    z = linear(cell, x, h)
    first, second = flat_square(z[..., :1]), flat_square(np.swapaxes(z, 0, 1))
    return tg.tanh(flat_square(h) + first + np.swapaxes(second, 0, 1))


@step(**PLAIN)
def picky_op(cell, x, h):
    return tg.tanh(linear(cell, inverse(x), inverse(h)) + inverse(x @ cell.w))


@step(**PLAIN)
def user_op_that_asks_its_array(cell, x, h):
    return tg.tanh(linear(cell, asking(x), asking(h)))


@step(**PLAIN)
def user_op_with_a_lift_that_fails(cell, x, h):
    return tg.tanh(linear(cell, badly_lifted(x), h) + wrongly_lifted(x @ cell.w))


@pytest.mark.parametrize("name", CELLS)
def test_a_scan_is_the_unrolled_run(scans, name) -> None:
    function, shapes = CELLS[name]
    cell = scans.StepCell(function, **shapes).astype("float64")
    scans.both_ways(cell, X, scans.some_state(cell))
    scans.both_ways(cell, X, scans.some_state(cell), lengths=[3, 5], reverse=True)
    if name != "array_attributes_that_print_alike":  # they are alike in float32
        cell.astype("float32")
        scans.both_ways(cell, X.astype("float32"), scans.some_state(cell))
