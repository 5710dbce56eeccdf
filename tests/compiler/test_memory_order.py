"""Steps that cut arrays into slices, put them side by side or scale them, in any memory order."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

I, H = 2, 3


def gates(cell, x, count):
    return tg.split(x @ cell.w + cell.b, count, axis=-1)


def halves(cell, x, h):
    a, b = tg.split(h @ cell.u + x @ cell.w, 2, axis=-1)
    return tg.tanh(a) * b


def twice_the_same_part(cell, x, h):
    a, b = gates(cell, x, 2)
    both = tg.concatenate([h * b, a, h * b], axis=-1)
    return tg.tanh(both @ cell.v)


def parts_made_again_behind_the_loop(cell, x, h):
    part, _ = tg.split(tg.tanh(h @ cell.u), 2, axis=-1)
    return tg.concatenate([part[:, 1:], x[:, :1]], axis=-1)


def state_in_columns(cell, x, h):
    h = h.reshape(h.shape[0], H, 1)
    return tg.tanh(tg.concatenate([h, h * h], axis=-1).sum(axis=-1) + x @ cell.w[:, :H])


def product_of_two_states(cell, x, h):
    a, b = tg.split(tg.tanh(h @ cell.u), 2, axis=-1)
    return h + 0.1 * a @ (b.T @ a)


def halved(cell, x, h):
    a, b = tg.split(h @ cell.u + cell.b, 2, axis=-1)
    c, d = gates(cell, x, 2)
    return tg.tanh(0.5 * (a + c)) * b + d


def one_part_scaled_another_read_twice(cell, x, h):
    z = h @ cell.u
    a, b = tg.split(z, 2, axis=-1)
    return tg.tanh(0.5 * a) + tg.tanh(b * z[:, H:])


def both_parts_scaled_in_one_sum(cell, x, h):
    a, b = tg.split(h @ cell.u + x @ cell.w, 2, axis=-1)
    return tg.tanh(0.5 * (a - b)) - tg.tanh(0.25 * b)


def scaled_by_column(cell, x, h):
    return tg.tanh((h @ cell.v[:H] + cell.b[:H] * h) * np.array([0.5, 1.0, -2.0]))


def scaled_and_shown(cell, x, h):
    z = h @ cell.v[:H] + x @ cell.w[:, :H]
    return tg.tanh(0.5 * z) + 0.1 * z


def scaled_with_whole_numbers(cell, x, h):
    return tg.tanh(0.5 * (h @ cell.v[:H] + (cell.b[:H] > 0) + tg.arange(H))) + x[:, :1]


def constant_parts(cell, x, h):
    a, b = tg.split(tg.ones(h.shape[0], 2 * H, dtype=float), 2, axis=-1)
    return tg.tanh(0.5 * (a + h @ cell.u[:, :H])) + 0.25 * b


STEPS = [
    scaled_with_whole_numbers,
    constant_parts,
    halves,
    twice_the_same_part,
    parts_made_again_behind_the_loop,
    state_in_columns,
    product_of_two_states,
    halved,
    one_part_scaled_another_read_twice,
    both_parts_scaled_in_one_sum,
    scaled_by_column,
    scaled_and_shown,
]


def made(scans, step):
    return scans.StepCell(step, w=(I, 2 * H), u=(H, 2 * H), v=(3 * H, H), b=(2 * H,))


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("step", STEPS)
def test_a_scan_is_the_unrolled_run(scans, step, batch) -> None:
    cell = made(scans, step)
    x = np.random.default_rng(0).standard_normal((6, batch, I))
    found = scans.both_ways(cell, x, scans.some_state(cell, batch))
    assert all(array.flags.c_contiguous for array in found)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
@pytest.mark.parametrize("checkpoint", [None, 2])
def test_results_are_ordinary_arrays(kind, checkpoint) -> None:
    layer = nn.Recurrent(kind(I, H), checkpoint=checkpoint)
    x = tg.randn(600, 4, I, requires_grad=True)
    outputs, [final] = layer(x)
    (outputs * outputs).sum().backward()
    states = final if isinstance(final, tuple) else (final,)
    for tensor in (outputs, *states, x.grad, *(p.grad for p in layer.parameters())):
        assert np.asarray(
            tensor if isinstance(tensor, np.ndarray) else tensor.data
        ).flags.c_contiguous


def loop_of(scans, step, batch) -> str:
    text = nn.Recurrent(made(scans, step)).source(tg.zeros(4, batch, I, dtype=float))
    return text.split("# the loop\n")[1].split("    # ")[0].split("    return")[0]


@pytest.mark.parametrize("step", [halved, scaled_by_column])
def test_a_factor_of_a_product_is_in_its_weights(scans, step) -> None:
    assert loop_of(scans, step, 2).count("multiply(") == 1  # the one that is no factor


def test_a_factor_stays_where_the_unscaled_value_is_read(scans) -> None:
    assert loop_of(scans, scaled_and_shown, 2).count("multiply(") == 2


def test_rounding_does_not_keep_a_product_in_the_loop() -> None:
    rng = np.random.default_rng(0)
    layer = nn.LSTM(300, 50)  # one product of all steps rounds in another way than one a step
    x = tg.tensor(100 * rng.standard_normal((3, 7, 300)).astype(np.float32))
    text = layer.source(x)
    assert text.split("# the loop\n")[1].count("dot(") == 1
