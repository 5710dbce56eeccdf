"""Random numbers from a generator of one's own are its numbers, in any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def dropout_between_layers(generator):
    tg.manual_seed(7)  # the parameters
    layer = nn.RNN(3, 4, 2, dropout=0.5, generator=generator)
    tg.manual_seed(3)
    return layer(tg.ones(5, 2, 3))[0]


DRAWS = {
    "rand": lambda g: tg.rand(50, generator=g),
    "randn": lambda g: tg.randn(50, generator=g),
    "rand_like": lambda g: tg.rand_like(tg.zeros(50), generator=g),
    "randn_like": lambda g: tg.randn_like(tg.zeros(50), generator=g),
    "randint": lambda g: tg.randint(5, 99, (50,), generator=g),
    "randperm": lambda g: tg.randperm(50, generator=g),
    "dropout": lambda g: nn.functional.dropout(tg.ones(50), 0.5, generator=g),
    "Dropout": lambda g: nn.Dropout(0.5, generator=g)(tg.ones(50)),
    "uniform_": lambda g: nn.init.uniform_(tg.zeros(50), generator=g),
    "normal_": lambda g: nn.init.normal_(tg.zeros(50), generator=g),
    "xavier_uniform_": lambda g: nn.init.xavier_uniform_(tg.zeros(5, 4), generator=g),
    "xavier_normal_": lambda g: nn.init.xavier_normal_(tg.zeros(5, 4), generator=g),
    "orthogonal_": lambda g: nn.init.orthogonal_(tg.zeros(5, 4), generator=g),
}


@pytest.mark.parametrize(
    "draw", [*DRAWS.values(), dropout_between_layers], ids=[*DRAWS, "between layers"]
)
def test_a_generator_of_ones_own_leaves_the_common_one_alone(draw) -> None:
    tg.manual_seed(3)
    expected = tg.rand(4).data
    tg.manual_seed(3)
    one, two = (draw(np.random.default_rng(0)).data for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(tg.rand(4).data, expected)
    assert not np.array_equal(one, draw(np.random.default_rng(1)).data)


def test_threads_with_generators_of_their_own_draw_the_same_in_every_run() -> None:
    def draw(seed):
        generator = np.random.default_rng(seed)
        parts = [draw(generator).data.ravel() for draw in DRAWS.values() for _ in range(5)]
        return np.concatenate(parts)

    with ThreadPoolExecutor(4) as pool:
        for seed, found in enumerate(pool.map(draw, range(8))):
            np.testing.assert_array_equal(found, draw(seed))


def test_a_forgotten_detach_is_named() -> None:
    layer, state = nn.LSTM(2, 3), None
    with pytest.raises(tg.GraphFreedError, match=r"state = tg\.detach\(state\)"):
        for _ in range(2):
            outputs, state = layer(tg.ones(4, 1, 2), state)
            outputs.sum().backward()


def test_integers_are_drawn_as_pytorch_asks_for_them() -> None:
    assert tg.randint(3, (4, 2)).shape == (4, 2)
    assert set(tg.randint(3, 6, (99,)).tolist()) == {3, 4, 5}
    assert tg.randint(low=3, high=4, size=(2,), dtype="float32").tolist() == [3.0, 3.0]
    assert sorted(tg.randperm(9).tolist()) == list(range(9))
    for wrong in (lambda: tg.randint(3), lambda: tg.randint(1, 2, (3,), high=4)):
        with pytest.raises(TypeError, match=r"randint\(high, size\) or randint\(low, high, size\)"):
            wrong()
    with pytest.raises(ValueError, match=r"no integer in \[low, high\) = \[5, 5\)"):
        tg.randint(5, 5, (1,))


def test_a_step_with_a_generator_of_its_own_runs_step_by_step() -> None:
    drop = nn.Dropout(0.5, generator=np.random.default_rng(0))

    def step(h, x):
        h = drop(h + x)
        return h, h

    with pytest.warns(UserWarning, match="a separate random generator"):
        one = tg.scan(step, tg.zeros(4), tg.ones(6, 4))[1]
    drop.generator = np.random.default_rng(0)
    np.testing.assert_array_equal(one.data, tg.scan(step, tg.zeros(4), tg.ones(6, 4))[1].data)
