"""Tasks: what each asks, that guesses are as good as `baseline` says, that batches come again."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.data import DataError, tasks
from tinygrad_rnn.user_code import UserCodeError, find_task

NAMES = sorted(tasks.discover())
SMALL = {"steps": 12, "batch_size": 5, "batches": 3}


@pytest.mark.parametrize("name", NAMES)
def test_batches_are_what_the_task_says(name) -> None:
    task = find_task(name).make(**SMALL)
    assert task.name == name
    for batch in [*task.train, *task.held_out]:
        steps, rows, size = batch.inputs.shape
        assert size == task.input_size
        assert batch.inputs.dtype == np.float32
        answers = (steps, rows) if task.every_step else (rows,)
        if task.loss == "cross entropy":
            assert batch.targets.shape == answers
            assert batch.targets.dtype == np.int64
            asked = batch.targets[batch.targets != tasks.IGNORE]
            assert batch.weight == asked.size > 0
            assert 0 <= asked.min() <= asked.max() < task.output_size
        else:
            assert batch.targets.shape == (*answers, task.output_size)
            assert batch.targets.dtype == np.float32
            assert batch.weight == math.prod(answers)
        for array in batch.further.values():
            assert array.shape[:2] == (steps, rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_baseline_is_the_loss_of_the_best_constant_answer(name) -> None:
    task = find_task(name).make(batch_size=500, batches=10, steps=12)
    targets = [b.targets for b in task.train]
    if task.loss == "squared error":
        found = np.var(np.concatenate(targets))
    else:
        asked = np.concatenate([t[t != tasks.IGNORE] for t in targets])
        shares = np.bincount(asked, minlength=task.output_size) / len(asked)
        shares = shares[shares > 0]
        found = -(shares * np.log(shares)).sum()
    assert found == pytest.approx(task.baseline, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_depends_on_the_seed_alone(name) -> None:
    def seen(seed: int) -> list[np.ndarray]:
        task = find_task(name).make(**SMALL, seed=seed)
        return [batch.inputs for batch in [*task.train, *task.train]]

    first, again, other = seen(0), seen(0), seen(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    half = len(first) // 2
    assert not np.array_equal(first[0], first[half]), "another epoch has other batches"


@pytest.mark.parametrize("name", NAMES)
def test_training_can_be_taken_up_within_an_epoch(name) -> None:
    task, other = (find_task(name).make(**SMALL, seed=seed) for seed in (0, 7))
    batches = iter(task.train)
    next(batches)
    other.train.load_state_dict(task.train.state_dict())
    np.testing.assert_array_equal(next(batches).inputs, next(iter(other.train)).inputs)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_measured_on_stays_the_same(name) -> None:
    first, other = (find_task(name).make(**SMALL, seed=seed).held_out for seed in (0, 7))
    for a, b, c in zip(first, other, first, strict=True):
        np.testing.assert_array_equal(a.inputs, b.inputs)
        np.testing.assert_array_equal(a.inputs, c.inputs)


def test_copy_memory_asks_for_what_was_shown_in_its_order() -> None:
    batch = next(iter(tasks.copy_memory(7, symbols=5, length=3, batch_size=4).train))
    np.testing.assert_array_equal(batch.inputs[:3].argmax(axis=-1), batch.targets[-3:])
    assert (batch.inputs[3:9, :, 5] == 1).all(), "blank while it waits"
    assert (batch.inputs[9, :, 6] == 1).all(), "the sign to begin"
    assert (batch.inputs[10:, :, 5] == 1).all()


def test_parity_is_that_of_all_bits_so_far() -> None:
    batch = next(iter(tasks.parity(9, batch_size=4).train))
    np.testing.assert_array_equal(batch.inputs[:, :, 0].sum(axis=0) % 2, batch.targets[-1])


def test_digits_are_split_by_image_and_come_whole() -> None:
    task = tasks.sequential_digits(batch_size=400)
    parts = [
        np.concatenate([b.inputs for b in part], axis=1) for part in (task.train, task.held_out)
    ]
    assert [part.shape for part in parts] == [(64, 1438, 1), (64, 359, 1)]
    assert parts[0].min() == 0
    assert parts[0].max() == 1


def test_characters_are_told_one_after_the_other() -> None:
    batch = next(iter(tasks.characters(20, batch_size=3).train))
    np.testing.assert_array_equal(batch.inputs[1:].argmax(axis=-1), batch.targets[:-1])


def test_the_frequency_of_an_irregular_series_is_in_its_waits() -> None:
    batch = next(iter(tasks.irregular_series(400, batch_size=60).train))
    times = np.cumsum(batch.further["dt"][:, :, 0], axis=0)
    np.testing.assert_array_equal(batch.further["dt"], batch.inputs[:, :, 1:])
    power = [
        np.abs((batch.inputs[:, :, 0] * np.exp(2j * np.pi * f * times)).sum(axis=0))
        for f in (0.5, 0.8, 1.25, 2.0)
    ]
    np.testing.assert_array_equal(np.argmax(power, axis=0), batch.targets)


def test_a_network_learns_a_task() -> None:
    tg.manual_seed(0)
    task = tasks.delayed_recall(6, batch_size=32, batches=60)
    layer, head = nn.GRU(task.input_size, 16), nn.Linear(16, task.output_size)
    optimizer = tg.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.05)
    for batch in task.train:
        outputs, _ = layer(tg.tensor(batch.inputs))
        loss = nn.functional.cross_entropy(head(outputs[-1]), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * task.baseline


@pytest.mark.parametrize(
    "make",
    [
        lambda: tasks.adding(1),
        lambda: tasks.parity(0),
        lambda: tasks.copy_memory(0),
        lambda: tasks.copy_memory(symbols=1),
        lambda: tasks.delayed_recall(0),
        lambda: tasks.irregular_series(0),
        lambda: tasks.characters(6000),
        lambda: tasks.parity(batch_size=0),
        lambda: tasks.sequential_digits(batch_size=0),
    ],
)
def test_sizes_that_cannot_be_are_told(make) -> None:
    with pytest.raises(DataError, match="must be"):
        make()


OWN = """
from tinygrad_rnn.data.tasks import parity

def shorter(steps=5, batch_size=2):
    return parity(steps, batch_size=batch_size)

def nothing():
    return None
"""


def test_a_task_of_ones_own(tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN, encoding="utf-8")
    task = find_task(f"{file}:shorter").make(batch_size=3, seeds=4)
    assert next(iter(task.train)).inputs.shape == (5, 3, 1)
    with pytest.raises(UserCodeError, match=r"no function 'short' in .*shorter, nothing"):
        find_task(f"{file}:short")
    with pytest.raises(UserCodeError, match="returned NoneType, not a"):
        find_task(f"{file}:nothing").make()
    with pytest.raises(UserCodeError, match=r"no task 'addings' \(did you mean 'adding'\?\)"):
        find_task("addings")


def test_a_beginning_names_a_task_where_no_other_begins_so() -> None:
    assert find_task("copy").name == "copy_memory"
    for several in ("", "x"):
        with pytest.raises(UserCodeError, match="no task"):
            find_task(several)
