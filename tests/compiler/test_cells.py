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

    def norm(z):
        return tg.nn.functional.layer_norm(z, z.shape[-1:])

    gates = norm(x @ cell.w) * cell.scale[0] + norm(h @ cell.u) * cell.scale[1] + cell.b
    i, f, g, o = tg.split(gates, 4, axis=-1)
    c = tg.sigmoid(f) * c + tg.sigmoid(i) * tg.tanh(g)
    return tg.sigmoid(o) * tg.tanh(norm(c)), c


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
def known_matrices(cell, x, h):
    known = np.sin(np.arange((H + 1) * H)).reshape(H + 1, H).astype(h.dtype)
    return tg.tanh(linear(cell, x, h) + h @ known[:H]) + 0.5 * tg.tanh(h @ known[1:])


@step(**PLAIN)
def beside_a_known_array(cell, x, h):
    known = np.ones(h.shape, h.dtype)
    return tg.tanh(tg.stack([linear(cell, x, h), known])).prod(axis=0)


@step(**PLAIN)
def without_end(cell, x, h):
    z = linear(cell, x, h)
    return tg.exp(tg.where(z > h, -tg.abs(z), -np.inf)) + tg.sign(tg.where(z > 0, np.inf, z))


@step(**PLAIN)
def small_integers(cell, x, state):
    h, seed, level = state
    seed = seed * np.uint8(37) + np.uint8(101)
    level = level - np.int8(100)
    drawn = (seed / 256 - 0.5).astype(h.dtype)
    gain = (level + level > 0).astype(h.dtype)
    return tg.tanh(linear(cell, x, h) + drawn * (1 + gain)), seed, level


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


@step(w=(2, H), u=(H, H))
def a_matrix_times_each(cell, x, h):
    z = tg.tanh(x @ cell.w + h)
    columns = tg.stack([h, z, tg.sin(h) * z], axis=-1)
    return tg.tanh((cell.u @ columns).mean(axis=-1))


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
    shift = tg.where(a, 0.5, -0.5).astype(h.dtype)
    return tg.tanh(linear(cell, x, h) + shift[:, None]), b, a


@step(**PLAIN)
def integers_split(cell, x, h):
    a, b = tg.split(tg.astype(x * 10, dtype="int64"), 2, axis=-1)
    c, d, e = tg.split(tg.astype(h * 10, dtype="int64"), 3, axis=-1)
    z = linear(cell, x, h) + a * 0.5 - b * 0.25 + (c + 0.5) * (d * 0.1 - e * 1.5)
    return tg.tanh(z).astype(h.dtype)


@step(**PLAIN)
def divided_by_almost_nothing(cell, x, h):
    tiny = float(np.finfo(h.dtype).tiny) / 16  # 1 / tiny overflows
    return tg.tanh(linear(cell, x, h)) * tiny**0.5 / tiny * tiny**0.5


@step(**PLAIN)
def row_by_row(cell, x, h):
    with tg.no_grad():
        gain = tg.sigmoid(h @ cell.u)
    rows = [row * 0.5 + row.detach() for row in h]
    return tg.tanh(linear(cell, x, tg.stack(rows)) + cell.u @ gain.mean(axis=0))


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
    "small_integers": lambda cell, n: (
        cell.zeros(n, H),
        tg.zeros(n, H, dtype=np.uint8),
        tg.zeros(n, 1, dtype=np.int8),
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


@pytest.mark.parametrize("name", CELLS)
def test_a_scan_is_the_unrolled_run(scans, name) -> None:
    cell = made(scans, name)
    scans.both_ways(cell, X, scans.some_state(cell))
    scans.both_ways(cell, X, scans.some_state(cell), lengths=[3, 5], reverse=True)


@pytest.mark.parametrize("name", CELLS)
def test_the_same_in_float32(scans, name) -> None:
    cell = made(scans, name, "float32")
    scans.both_ways(cell, X.astype("float32"), scans.some_state(cell))


@pytest.mark.parametrize("name", ["plain", "peephole", "nested", "reduced", "picked", "einsum"])
def test_it_is_a_scan_that_is_compared(scans, name) -> None:
    outputs, _ = nn.Recurrent(made(scans, name))(X)
    assert scans.is_scan(outputs)
