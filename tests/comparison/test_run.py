"""One run: the same numbers from the same seed, what it returns, and cells of every kind."""

from __future__ import annotations

import random
from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cells, nn
from tinygrad_rnn.comparison import learn
from tinygrad_rnn.comparison.network import Answers, loss
from tinygrad_rnn.comparison.run import _flow
from tinygrad_rnn.data import tasks

SMALL = {"steps": 10, "batch_size": 8, "batches": 6}
ADDING = partial(tasks.adding, **SMALL)
COPY = partial(tasks.copy_memory, symbols=3, length=2, **SMALL)
TIMED = ("seconds",)


def rows(learnt) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in TIMED} for row in learnt.history]


class Noisy(nn.RNNCell):
    """Draws from all generators, in training and when it is made."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight_hh.data *= random.random() * np.random.rand()


@pytest.mark.parametrize("cell", [nn.LSTMCell, Noisy])
def test_the_same_seed_gives_the_same_bits_and_another_others(cell) -> None:
    first = learn(cell, ADDING, hidden_size=4, epochs=2)
    tg.rand(3)
    again = learn(cell, ADDING, hidden_size=4, epochs=2)
    other = learn(cell, ADDING, hidden_size=4, epochs=2, seed=1)
    assert rows(first) == rows(again)
    assert (first.flow_before, first.flow_after) == (again.flow_before, again.flow_after)
    assert rows(first)[0] != rows(other)[0]


def test_what_the_caller_draws_is_as_if_nothing_had_run() -> None:
    def drawn(between) -> list[float]:
        tg.manual_seed(5), random.seed(5), np.random.seed(5)
        between()
        return [tg.rand(1).item(), random.random(), np.random.rand()]

    assert drawn(lambda: learn(Noisy, ADDING, hidden_size=2, epochs=1)) == drawn(lambda: None)


def test_a_task_is_learnt() -> None:
    task = partial(tasks.delayed_recall, 8, batches=30)
    learnt = learn(nn.GRUCell, task, hidden_size=12, epochs=6, learning_rate=0.03)
    assert learnt.history["val_loss"][-1] < 0.3 * task().baseline
    assert learnt.history["val_accuracy"][-1] > 0.9
    assert not learnt.diverged
    assert len(learnt.flow_before) == len(learnt.flow_after) == 8
    assert all(value > 0 for value in learnt.flow_before)


def test_the_gradient_flow_is_that_of_the_state_as_a_whole() -> None:
    task = COPY(seed=0)
    batch = next(iter(task.held_out))
    tg.manual_seed(2)
    network = Answers(nn.LSTMCell(task.input_size, 4), task)
    found = _flow(network, task)
    h, c = tg.zeros(8, 4, requires_grad=True), tg.zeros(8, 4, requires_grad=True)
    cell, state = network.recurrent.cells[0], (h, c)
    states = []
    for x in batch.inputs:
        state = cell(tg.tensor(x), state)
        states.append(state)
    last = nn.cross_entropy(network.readout(state[0]), batch.targets[-1])
    for t in (-1, -2, -7):
        grads = tg.grad(last, list(states[t]), retain_graph=True, allow_unused=True)
        squares = sum(float((g.data**2).sum()) for g in grads if g is not None)
        assert found[t] == pytest.approx(squares**0.5, rel=1e-3)


def test_what_diverges_is_told_and_its_history_kept() -> None:
    class Explodes(nn.RNNCell):
        def forward(self, x, h):
            return 1e3 * (h + 1) * (1 + tg.square(super().forward(x, h)))

    learnt = learn(Explodes, partial(tasks.adding, 40, batches=2), hidden_size=3, epochs=2)
    assert "is inf" in learnt.diverged or "is nan" in learnt.diverged
    assert learnt.flow_after == []


@pytest.mark.parametrize(
    "cell", [cells.GRUDCell, cells.PhasedLSTMCell, partial(cells.ConvLSTMCell, image_size=(1, 1))]
)
@pytest.mark.parametrize("task", [tasks.adding, tasks.irregular_series])
def test_cells_with_further_inputs_or_images_learn_any_task(cell, task) -> None:
    task = task(**SMALL)
    network = Answers(cell(task.input_size, 4), task)
    value, _ = loss(network, next(iter(task.train)))
    value.backward()
    assert all(p.grad is not None for p in network.readout.parameters())


def test_a_series_gives_its_waits_to_a_cell_that_takes_them() -> None:
    task = tasks.irregular_series(**SMALL)
    batch = next(iter(task.held_out))
    tg.manual_seed(0)
    network = Answers(cells.PhasedLSTMCell(2, 4), task)
    other = {"dt": 2 * batch.further["dt"]}
    found = [network(batch.inputs, dt).data for dt in (batch.further, other)]
    assert not np.allclose(*found)
    plain = Answers(nn.LSTMCell(2, 4), task)
    np.testing.assert_array_equal(*(plain(batch.inputs, dt).data for dt in (batch.further, other)))
