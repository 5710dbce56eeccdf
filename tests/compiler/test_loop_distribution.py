"""What leaves the loop: delayed inputs, sample and hold, affine recurrences given the rest."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.compiler.specialization import compiled_steps

I, H, T, B = 2, 3, 7, 2


def shift_with_product(cell, x, state):
    """A QRNN's candidate: of the input and the one before."""
    h, previous = state
    z = tg.tanh(x @ cell.now + previous @ cell.then)
    return 0.5 * h + z, x


def delayed_into_a_loop(cell, x, state):
    h, previous = state
    return tg.tanh(h @ cell.own + x @ cell.now + previous @ cell.then), x


def two_steps_back(cell, x, state):
    h, one, two = state
    return tg.tanh(h @ cell.own + two @ cell.then), x * 2.0, one


def delayed_state(cell, x, state):
    """The state before the last is only looked at, by nothing that the state needs."""
    h, _ = state
    return tg.tanh(h @ cell.own + x @ cell.now), h


def sample_and_hold(cell, x, state):
    """A GRU-D's last value that was seen."""
    h, last = state
    last = tg.where(x > 0.2, x, last)
    return tg.tanh(h @ cell.own + last @ cell.now), last


def hold_the_other_way(cell, x, state):
    h, last = state
    last = tg.where(x < 0.2, last, 3.0 * x)
    return tg.tanh(h @ cell.own + last @ cell.now), last


def rotation(cell, x, state):
    """A linear recurrent unit: complex numbers as pairs."""
    re, im = state
    u = x @ cell.now
    return cell.a * re - cell.b * im + u, cell.b * re + cell.a * im - u


def rotation_into_a_loop(cell, x, state):
    re, im, h = state
    re, im = rotation(cell, x, (re, im))
    return re, im, tg.tanh(h @ cell.own + (re - im) @ cell.more)


def memory_after_a_loop(cell, x, state):
    """As in an mLSTM: a matrix of its own recurrence, whose gates a state decides."""
    h, n = state
    h = tg.tanh(h @ cell.own + x @ cell.now)
    forget = tg.sigmoid(h)
    return h, n * forget + (1 - forget) * (x @ cell.now)


def divided(cell, x, state):
    h, n = state
    h = tg.tanh(h @ cell.own + x @ cell.now)
    return h, h - n / (1.5 + h * h)


def average_into_a_loop(cell, x, state):
    h, mean = state
    mean = 0.9 * mean + 0.1 * (x @ cell.now)
    return tg.tanh(h @ cell.own + mean @ cell.more), mean


def coupled(cell, x, state):
    h, other = state
    return tg.tanh(other @ cell.own + x @ cell.now), 0.5 * other + h


# The step, the leaves of its state, and the stages of its carries forward and backward.
STEPS = {
    shift_with_product: ((H, I), "before before", "before before"),
    delayed_into_a_loop: ((H, I), "loop before", "loop after"),
    two_steps_back: ((H, I, I), "loop before before", "loop after after"),
    delayed_state: ((H, H), "loop after", "loop before"),
    sample_and_hold: ((H, I), "loop before", "loop after"),
    hold_the_other_way: ((H, I), "loop before", "loop after"),
    rotation: ((H, H), "before before", "before before"),
    rotation_into_a_loop: ((H, H, H), "before before loop", "after after loop"),
    memory_after_a_loop: ((H, H), "loop after", "loop before"),
    divided: ((H, H), "loop after", "loop before"),
    average_into_a_loop: ((H, H), "loop before", "loop after"),
    coupled: ((H, H), "loop loop", "loop loop"),
}


def cell_of(scans, step):
    sizes, *_ = STEPS[step]
    return scans.StepCell(
        step,
        lambda cell, batch: tuple(cell.zeros(batch, n) for n in sizes),
        lambda cell, state: state[0] + 0.1 * sum(leaf.sum() for leaf in state),
        now=(I, H),
        then=(I, H),
        own=(H, H),
        more=(H, H),
        a=(H,),
        b=(H,),
    ).astype("float64")


def stages(program) -> str:
    return " ".join(program.schedule.stage_of[carry] for carry in program.schedule.carry_in)


@pytest.mark.parametrize("step", STEPS)
def test_what_need_not_wait_leaves_the_loop(scans, step) -> None:
    cell = cell_of(scans, step)
    scans.both_ways(cell, np.random.default_rng(0).standard_normal((T, B, I)))
    (compiled,) = compiled_steps(cell)
    _, forward, backward = STEPS[step]
    assert (stages(compiled.forward), stages(compiled.backward)) == (forward, backward)


@pytest.mark.parametrize(
    ("executor", "options"),
    [
        *(
            ("numpy", option)
            for option in ({}, {"reverse": True}, {"truncate": 3}, {"checkpoint": 2})
        ),
        *(("llvm", option) for option in ({}, {"truncate": 3})),
    ],
)
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_the_scan_is_the_unrolled_run(scans, step, options, padded, executor, request) -> None:
    if executor == "llvm":
        request.getfixturevalue("compiled")
    cell = cell_of(scans, step)
    x = np.random.default_rng(1).standard_normal((T, B, I))
    state = scans.some_state(cell, B)
    scans.both_ways(cell, x, state, [T, 3] if padded else None, **options)
