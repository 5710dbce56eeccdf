"""Random numbers from a generator of one's own are its numbers, in any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

DRAWS = {
    "rand": lambda g: tg.rand(50, generator=g),
    "randn": lambda g: tg.randn(50, generator=g),
    "dropout": lambda g: nn.functional.dropout(tg.ones(50), 0.5, generator=g),
    "uniform_": lambda g: nn.init.uniform_(tg.zeros(50), generator=g),
    "normal_": lambda g: nn.init.normal_(tg.zeros(50), generator=g),
    "xavier_uniform_": lambda g: nn.init.xavier_uniform_(tg.zeros(5, 4), generator=g),
    "xavier_normal_": lambda g: nn.init.xavier_normal_(tg.zeros(5, 4), generator=g),
    "orthogonal_": lambda g: nn.init.orthogonal_(tg.zeros(5, 4), generator=g),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
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
