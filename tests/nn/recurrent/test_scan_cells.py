"""A scan gives the numbers of the unrolled run: cell by cell, with every kind of state and op."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

H, T, B = 3, 5, 2
X = np.random.default_rng(0).standard_normal((T, B, 2))


class Pair(NamedTuple):
    h: tg.Tensor
    rest: dict[str, tuple[tg.Tensor, ...]]


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
rowsum.lift(lambda steps, timed, x: np.sum(x, axis=-1, keepdims=True))


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
    """A gradient that looks at the saved value in another shape."""
    return x * x


flat_square.vjp(lambda grad, out, x: np.reshape(2.0 * np.reshape(x, -1), x.shape) * grad)


@tg.op
def inverse(x):
    """Refuses most arrays: it must never be tried on made-up ones."""
    if not np.isfinite(x).all() or np.abs(x).max(initial=0.0) > 100:
        raise ValueError("no such numbers ever came from the cell")
    return 1.0 / (2.0 + x * x)


inverse.vjp(lambda grad, out, x: -2.0 * grad * x * out**2)


def linear(cell, x, h):
    return x @ cell.w + h @ cell.u + cell.b


PLAIN = {"w": (2, H), "u": (H, H), "b": (H,)}


def step(**shapes):
    """Mark a function as the step of a cell."""

    def mark(function):
        CELLS[function.__name__] = (function, shapes)
        return function

    return mark


CELLS: dict[str, tuple] = {}


@step(**PLAIN)
def plain(cell, x, h):
    return tg.tanh(linear(cell, x, h))


@step(w=(2, H), u=(2, H), b=(H,))
def mingru(cell, x, h):
    z = tg.sigmoid(x @ cell.w)
    return (1 - z) * h + z * (x @ cell.u + cell.b)


@step(w=(2, 4 * H), u=(H, 4 * H), b=(4 * H,), peep=(3, H))
def peephole(cell, x, state):
    h, c = state
    i, f, g, o = tg.split(linear(cell, x, h), 4, axis=-1)
    i = tg.sigmoid(i + cell.peep[0] * c)
    f = tg.sigmoid(f + cell.peep[1] * c)
    c = f * c + i * tg.tanh(g)
    return tg.sigmoid(o + cell.peep[2] * c) * tg.tanh(c), c


@step(w=(2, 4 * H), u=(H, 4 * H), b=(4 * H,), scale=(2, 4 * H))
def layer_norm_lstm(cell, x, state):
    h, c = state
    norm = tg.nn.functional.layer_norm
    gates = norm(x @ cell.w, 1) * cell.scale[0] + norm(h @ cell.u, 1) * cell.scale[1] + cell.b
    i, f, g, o = tg.split(gates, 4, axis=-1)
    c = tg.sigmoid(f) * c + tg.sigmoid(i) * tg.tanh(g)
    return tg.sigmoid(o) * tg.tanh(norm(c, 1)), c


@step(**PLAIN)
def nested(cell, x, state):
    h, (slow,) = state.h, state.rest["slow"]
    h = tg.tanh(linear(cell, x, h) + slow)
    return Pair(h, {"slow": (0.9 * slow + 0.1 * h,)})


@step(**PLAIN)
def as_dict(cell, x, state):
    h = tg.tanh(linear(cell, x, state["h"]) * state["gain"])
    return {"gain": state["gain"] * 0.9 + 0.1, "h": h}


@step(**PLAIN)
def swapped(cell, x, state):
    a, b = state
    return b, tg.tanh(linear(cell, x, a))


@step(**PLAIN)
def passed_through(cell, x, state):
    h, context = state
    return tg.tanh(linear(cell, x, h) + context), context


@step(**PLAIN)
def untouched(cell, x, state):
    return state


@step(**PLAIN)
def same_leaf_twice(cell, x, state):
    h = tg.tanh(linear(cell, x, state[0] - state[1]))
    return h, h


@step(**PLAIN)
def forgets(cell, x, h):
    return tg.tanh(x @ cell.w)


@step(**PLAIN)
def constant(cell, x, h):
    return tg.zeros_like(h)


@step(**PLAIN)
def only_a_parameter(cell, x, h):
    return tg.broadcast_to(cell.b, h.shape)


@step(w=(2, H), u=(H, H), b=(H,), unused=(4,))
def unused_parameter(cell, x, h):
    return tg.tanh(linear(cell, x, h))


@step(**PLAIN)
def parameter_without_slope(cell, x, h):
    return tg.tanh(x @ cell.w + h @ cell.u) * tg.sign(cell.b)


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
    ones = np.ones(3000)
    other = np.where(np.arange(3000) == 1500, 2.0, 1.0)
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
def side_by_side_twice(cell, x, h):
    a = tg.tanh(h @ cell.u)
    both = tg.concatenate([a, a, x], axis=-1)
    return a + both[:, 1 : H + 1] * both[:, H : 2 * H] + tg.stack([a, a], axis=-1).sum(-1)


@step(w=(2 + H, H))
def concatenated(cell, x, h):
    return tg.tanh(tg.concatenate([x, tg.sin(h)], axis=-1) @ cell.w) + h * 0.1


@step(**PLAIN)
def chosen(cell, x, h):
    z = linear(cell, x, h)
    z = tg.where(z > 0, z, 0.1 * z) + tg.where(x[:, :1] > 0, h, -h)
    return tg.tanh(tg.maximum(z, h) + tg.clip(z, -0.5, 0.5))


@step(**PLAIN)
def reduced(cell, x, h):
    z = linear(cell, x, h)
    attention = tg.softmax(z, axis=-1)
    top = tg.max(z, axis=-1, keepdims=True) - tg.min(x, axis=-1, keepdims=True)
    return attention * h + tg.tanh(top) + tg.logsumexp(h, -1, keepdims=True) * 0.1


@step(**PLAIN)
def in_many_shapes(cell, x, h):
    z = tg.reshape(tg.tile(linear(cell, x, h), (1, 2)), (-1, 2, H))
    z = tg.flip(np.swapaxes(z, -1, -2), axis=-1).sum(-1) + tg.cumsum(x, axis=-1)[:, -1:]
    z = z + tg.pad(x, ((0, 0), (0, 1))) + tg.repeat(x[:, :1], H, axis=1)
    return tg.tanh(z + np.std(h, axis=-1, keepdims=True) * 0.1 + np.squeeze(h[:, None], 1))


@step(w=(2, H), u=(H, H, H), b=(H,))
def einsum(cell, x, h):
    outer = tg.einsum("bi,bj->bij", h, tg.tanh(x @ cell.w))
    return tg.tanh(tg.einsum("bij,ijk->bk", outer, cell.u) + cell.b + x @ cell.w)


@step(w=(2, H), u=(2, H), b=(H,))
def matrix_state(cell, x, state):
    h, memory = state
    key, value = tg.tanh(x @ cell.w), x @ cell.u
    memory = 0.9 * memory + key[:, :, None] @ value[:, None, :]
    read = (tg.tanh(h + cell.b)[:, None, :] @ memory)[:, 0]
    return tg.tanh(read), memory @ np.swapaxes(memory, -1, -2) * 0.1


@step(**PLAIN)
def updated_in_place_of(cell, x, h):
    z = tg.index_update(h, (slice(None), 0), x[:, 0])
    z = tg.index_add(z, (slice(None), [1, 1]), tg.tanh(h[:, :2]))
    return tg.tanh(linear(cell, x, z) + tg.index_update(x @ cell.w, (slice(None), 1), 0.0))


@step(**PLAIN)
def picked(cell, x, h):
    order = np.array([2, 0, 1])
    largest = np.argmax(h, axis=-1)
    best = tg.take_along_axis(h, np.expand_dims(largest, -1), axis=-1)
    rows = cell.u[largest] * cell.u[:, largest].T
    return tg.tanh(linear(cell, x, h[:, order]) + best + rows)


@step(**PLAIN)
def picked_by_input(cell, x, h):
    place = np.argmax(x, axis=-1)
    rows = cell.u[place] * cell.u[:, place].T + cell.u[place, place][:, None]
    return tg.tanh(h + rows + tg.take_along_axis(x, np.expand_dims(place, -1), axis=-1))


@step(**PLAIN)
def scaled_and_shifted(cell, x, h):
    gain = x @ cell.w
    h = (2.0 - (h * gain / 3.0 - 1.0)) * 0.5 + gain
    return -(h * 0.25 - 1.0) - (h * 0.1 + gain)


@step(**PLAIN)
def several_cells(cell, x, state):
    h, deep = state
    h = tg.tanh(linear(cell, x, h))
    deep = tg.tanh(h * deep @ cell.u)
    for _ in range(3):
        deep = tg.tanh(deep @ cell.u + h)
    return deep, h * deep


@step(**PLAIN)
def random(cell, x, h):
    kept = tg.rand_like(h) > 0.3
    new = tg.tanh(linear(cell, nn.functional.dropout(x, 0.5), h))
    return tg.where(kept, new, h) + 0.1 * tg.rand_like(x @ cell.w)


@step(**PLAIN)
def counts(cell, x, state):
    h, n, seen = state
    h = tg.tanh(linear(cell, x, h) * np.astype(n, h.dtype))
    return h, 5 - (n + 1 + 1) * -1, tg.logical_or(seen, h.sum(-1) > 0)


@step(**PLAIN)
def flags_swapped(cell, x, state):
    h, a, b = state
    return tg.tanh(linear(cell, x, h) + tg.where(a, 0.5, -0.5)[:, None]), b, a


def two(cell, batch):
    return cell.zeros(batch, H), cell.zeros(batch, H)


STATES = {
    "peephole": two,
    "layer_norm_lstm": two,
    "swapped": two,
    "passed_through": two,
    "untouched": two,
    "same_leaf_twice": two,
    "several_cells": two,
    "nested": lambda cell, n: Pair(cell.zeros(n, H), {"slow": (cell.zeros(n, H),)}),
    "as_dict": lambda cell, n: {"gain": cell.zeros(n, 1), "h": cell.zeros(n, H)},
    "matrix_state": lambda cell, n: (cell.zeros(n, H), cell.zeros(n, H, H)),
    "counts": lambda cell, n: (
        cell.zeros(n, H),
        tg.zeros(n, 1, dtype=np.int64),
        tg.zeros(n, dtype=bool),
    ),
    "flags_swapped": lambda cell, n: (
        cell.zeros(n, H),
        tg.zeros(n, dtype=bool),
        tg.ones(n, dtype=bool),
    ),
}


def made(scans, name, dtype="float64", **options):
    function, shapes = CELLS[name]
    return scans.StepCell(function, STATES.get(name), **options, **shapes).astype(dtype)


def some_state(cell, batch=B, layers=1, seed=3):
    """An initial state with content: the leaves that are floating-point are random."""
    rng = np.random.default_rng(seed)
    from tinygrad_rnn.nn.recurrent.nest import map_leaves

    def content(leaf):
        shape = (layers, *leaf.shape)
        if leaf.dtype.kind == "f":
            return rng.standard_normal(shape).astype(leaf.dtype)
        return rng.integers(0, 2, shape).astype(leaf.dtype)

    return map_leaves(content, cell.initial_state(batch))


@pytest.mark.parametrize("name", CELLS)
def test_a_scan_is_the_unrolled_run(scans, name) -> None:
    cell = made(scans, name)
    scans.both_ways(cell, X, some_state(cell))
    scans.both_ways(cell, X, some_state(cell), lengths=[3, 5], reverse=True)


@pytest.mark.parametrize("name", CELLS)
def test_the_same_in_float32(scans, name) -> None:
    if name == "array_attributes_that_print_alike":
        pytest.skip("its numbers differ by less than float32 can hold")
    cell = made(scans, name, "float32")
    scans.both_ways(cell, X.astype("float32"), some_state(cell))


@pytest.mark.parametrize("name", ["plain", "peephole", "nested", "reduced", "picked", "einsum"])
def test_it_is_a_scan_that_is_compared(scans, name) -> None:
    outputs, _ = nn.Recurrent(made(scans, name))(X)
    assert scans.is_scan(outputs)


SHOWN = {
    "another size": lambda cell, h: tg.tanh(h @ cell.u)[:, :2] * 2.0,
    "a parameter": lambda cell, h: tg.broadcast_to(cell.b, h.shape),
    "a constant": lambda cell, h: tg.ones(*h.shape, dtype=h.dtype),
    "integers": lambda cell, h: np.argmax(h, axis=-1, keepdims=True),
    "a view": lambda cell, h: np.swapaxes(h, 0, 1),
    "a reshaped view": lambda cell, h: tg.reshape(h, (-1, 1, H)),
    "both": lambda cell, h: tg.concatenate([h, h], axis=-1),
    "random": lambda cell, h: nn.functional.dropout(h, 0.5),
}


@pytest.mark.parametrize("shown", SHOWN)
def test_the_output_may_be_anything(scans, shown) -> None:
    cell = made(scans, "plain", output=SHOWN[shown])
    scans.both_ways(cell, X, some_state(cell))
    if shown != "a view":
        scans.both_ways(cell, X, some_state(cell), lengths=[0, 4])


def test_the_output_need_not_depend_on_the_carry(scans) -> None:
    def step(cell, x, state):
        return tg.tanh(linear(cell, x, state[0])), x

    for output in (lambda cell, state: state[1], lambda cell, state: state[1] * 2.0):
        cell = scans.StepCell(
            step, lambda cell, n: (cell.zeros(n, H), cell.zeros(n, 2)), output, **PLAIN
        ).astype("float64")
        scans.both_ways(cell, X)
        x = tg.tensor(X)
        outputs, _ = nn.Recurrent(cell)(x)
        before = np.array(outputs.data)
        outputs.data[...] = 7.0  # memory of its own: the inputs stay
        np.testing.assert_array_equal(x.data, X)
        np.testing.assert_array_equal(nn.Recurrent(cell)(x)[0].data, before)


KNOWN = [nn.RNNCell, nn.LSTMCell, nn.GRUCell]


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize("sizes", [(2, 3), (1, 1), (2, 8)])
def test_the_built_in_cells(scans, kind, sizes) -> None:
    for bias in (True, False):
        cell = kind(*sizes, bias=bias).astype("float64")
        x = np.random.default_rng(1).standard_normal((6, 3, sizes[0]))
        scans.both_ways(cell, x, some_state(cell, 3), lengths=[6, 0, 2])


class Submodules(nn.Cell):
    """Linear, LayerNorm, Dropout, a buffer, and two other cells, one step of each."""

    def __init__(self, input_size: int = 2, hidden_size: int = H) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Linear(input_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        self.drop = nn.Dropout(0.3)
        self.cells = [nn.GRUCell(hidden_size, hidden_size), nn.LSTMCell(hidden_size, hidden_size)]
        self.register_buffer("scale", np.array([0.5]))

    def initial_state(self, batch_size):
        return [cell.initial_state(batch_size) for cell in self.cells]

    def forward(self, x, state):
        h = self.cells[0](self.drop(self.norm(self.mix(x))), state[0])
        return [h, self.cells[1](h * self.scale, state[1])]

    def output(self, state):
        return state[1][0] + state[0]


def test_cells_in_cells_with_submodules_and_buffers(scans) -> None:
    cell = Submodules().astype("float64")
    scans.both_ways(cell, X, some_state(cell, layers=4), num_layers=2, bidirectional=True)
    cell.eval()
    scans.both_ways(cell, X, lengths=[2, 4])


class Embedded(nn.Cell):
    """Integer inputs."""

    def __init__(self, input_size: int = 1) -> None:
        self.hidden_size = H
        self.table = nn.Embedding(5, H)
        self.u = nn.Parameter(np.random.default_rng(0).standard_normal((H, H)))

    def forward(self, x, h):
        z = self.table(x) + h @ self.u
        return tg.tanh(z + tg.one_hot(x, 5)[:, :H] * 0.1 + tg.take(self.table.weight, x, axis=0))


@pytest.mark.parametrize("lengths", [None, [0, 4]])
def test_inputs_that_are_integers(scans, lengths) -> None:
    words = np.random.default_rng(0).integers(0, 5, (T, B))[:, :, None]

    class Words(Embedded):
        def forward(self, x, h):
            return super().forward(x[:, 0], h)

    scans.both_ways(Words().astype("float64"), words, lengths=lengths)


def test_an_integer_dtype_of_x_or_state_follows_the_same_promotion(scans) -> None:
    cell = made(scans, "plain", "float32")
    assert scans.both_ways(cell, X)[0].dtype == np.float64  # float64 inputs, float32 weights
    cell = made(scans, "plain", "float64")
    scans.both_ways(cell, X, some_state(cell).astype("float32"))
    scans.both_ways(cell, X, np.ones((1, B, H), int))
