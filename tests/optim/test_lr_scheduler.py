"""Learning-rate schedules."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.optim import lr_scheduler

fractions = st.floats(0.1, 0.99)
drawn_settings = {
    "StepLR": st.fixed_dictionaries({"step_size": st.integers(1, 60), "gamma": fractions}),
    "MultiStepLR": st.fixed_dictionaries(
        {"milestones": st.lists(st.integers(1, 60), max_size=5), "gamma": fractions}
    ),
    "ExponentialLR": st.fixed_dictionaries({"gamma": fractions}),
    "CosineAnnealingLR": st.fixed_dictionaries(
        {"T_max": st.integers(1, 60), "eta_min": st.sampled_from([0.0, 0.001, 0.02])}
    ),
    "ReduceLROnPlateau": st.fixed_dictionaries(
        {
            "mode": st.sampled_from(["min", "max"]),
            "factor": fractions,
            "patience": st.integers(0, 5),
            "threshold": st.sampled_from([0.0, 1e-4, 0.1]),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 4),
            "min_lr": st.sampled_from([0.0, 0.01, [0.1, 0.001]]),
            "eps": st.sampled_from([1e-8, 1e-2]),
        }
    ),
}


def optimiser_of(*rates: float) -> optim.SGD:
    return optim.SGD([{"params": tg.zeros(1, requires_grad=True), "lr": rate} for rate in rates])


@pytest.mark.parametrize("index", range(12))
def test_rates_are_those_that_pytorch_gave(runs, reference, index) -> None:
    run = reference["schedules"][index]
    assert [(run["name"], run["settings"]) for run in reference["schedules"]] == runs.SCHEDULES
    optimiser = runs.two_groups(tg.tensor, optim.SGD)
    schedule = getattr(lr_scheduler, run["name"])(optimiser, **run["settings"])
    found = runs.rates(optimiser, schedule, reference["metrics"])
    assert len(found) == 50
    np.testing.assert_allclose(found, run["rates"], rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("name", drawn_settings)
@settings(
    max_examples=settings().max_examples * 25 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), seed=st.integers(0, 99))
def test_rates_are_pytorchs_for_any_settings(torch, runs, name, data, seed) -> None:
    chosen = data.draw(drawn_settings[name])
    values = runs.metrics(seed)
    ours, theirs = (
        runs.rates(optimiser, getattr(module.lr_scheduler, name)(optimiser, **chosen), values)
        for module, optimiser in [
            (optim, runs.two_groups(tg.tensor, optim.SGD)),
            (torch.optim, runs.two_groups(torch.tensor, torch.optim.SGD)),
        ]
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("name", drawn_settings)
@settings(max_examples=settings().max_examples * 15 // 100)
@given(data=st.data(), cut=st.integers(0, 20))
def test_a_schedule_continues_from_its_state(name, data, cut) -> None:
    chosen = data.draw(drawn_settings[name])
    make = getattr(lr_scheduler, name)
    metrics = np.random.default_rng(0).normal(size=40).tolist()

    def steps(schedule, values):
        found = []
        for value in values:
            schedule.step(*([value] if name == "ReduceLROnPlateau" else []))
            found.append(schedule.get_last_lr())
        return found

    optimiser = optimiser_of(0.3, 0.02)
    schedule = make(optimiser, **chosen)
    steps(schedule, metrics[:cut])
    saved = json.dumps([optimiser.state_dict(), schedule.state_dict()], allow_nan=False)
    expected = steps(schedule, metrics[cut:])

    again = optimiser_of(1.0, 1.0)
    restored = make(again, **data.draw(drawn_settings[name]))
    optimiser_state, schedule_state = json.loads(saved)
    again.load_state_dict(optimiser_state)
    restored.load_state_dict(schedule_state)
    assert steps(restored, metrics[cut:]) == expected


def test_cosine_follows_the_papers_formula() -> None:
    schedule = lr_scheduler.CosineAnnealingLR(optimiser_of(0.5), T_max=20, eta_min=0.1)
    for t in range(1, 101):
        schedule.step()
        expected = 0.1 + (0.5 - 0.1) * (1 + math.cos(math.pi * t / 20)) / 2
        assert schedule.get_last_lr()[0] == pytest.approx(expected, rel=1e-9)


def test_schedules_can_be_combined() -> None:
    optimiser = optimiser_of(1.0)
    both = [
        lr_scheduler.StepLR(optimiser, step_size=2, gamma=0.5),
        lr_scheduler.ExponentialLR(optimiser, gamma=0.5),
    ]
    for _ in range(4):
        for schedule in both:
            schedule.step()
    assert both[0].get_last_lr() == [0.5**6]


def test_a_group_added_later_is_scheduled_too() -> None:
    optimiser = optimiser_of(1.0)
    schedule = lr_scheduler.CosineAnnealingLR(optimiser, T_max=4)
    schedule.step()
    optimiser.add_param_group({"params": tg.zeros(1, requires_grad=True), "lr": 0.5})
    schedule.step()
    assert schedule.base_lrs == [1.0, 0.5]
    assert schedule.get_last_lr()[1] < 0.5


def test_the_next_step_of_the_optimiser_uses_the_new_rate() -> None:
    p = tg.tensor([1.0], requires_grad=True)
    optimiser = optim.SGD([p], lr=1.0)
    lr_scheduler.ExponentialLR(optimiser, gamma=0.25).step()
    p.grad = np.ones(1, dtype=np.float32)
    optimiser.step()
    assert p.data.tolist() == [0.75]


def test_plateau_takes_tensors_and_counts_nan_as_no_improvement() -> None:
    schedule = lr_scheduler.ReduceLROnPlateau(optimiser_of(1.0), factor=0.5, patience=1)
    for metric in [tg.tensor(math.nan), tg.tensor([2.0]), math.nan, 2.5]:
        schedule.step(metric)
    assert schedule.best == 2.0
    assert schedule.get_last_lr() == [0.5]


def test_plateau_refuses_a_step_when_its_floors_no_longer_fit() -> None:
    optimiser = optimiser_of(1.0)
    schedule = lr_scheduler.ReduceLROnPlateau(optimiser, min_lr=[0.1])
    optimiser.add_param_group({"params": tg.zeros(1, requires_grad=True)})
    with pytest.raises(ValueError, match="1 min_lr for 2 parameter groups"):
        schedule.step(1.0)
    assert schedule.last_epoch == 0


@pytest.mark.parametrize(
    ("name", "chosen", "error", "words"),
    [
        ("StepLR", {"step_size": 0}, ValueError, "step_size must be at least 1"),
        ("StepLR", {"step_size": 1.5}, TypeError, "step_size must be an integer"),
        ("StepLR", {"step_size": 1, "gamma": -1.0}, ValueError, "gamma"),
        ("MultiStepLR", {"milestones": [3, -1]}, ValueError, r"milestones\[0\]"),
        ("ExponentialLR", {"gamma": math.nan}, ValueError, "gamma is NaN"),
        ("CosineAnnealingLR", {"T_max": 0}, ValueError, "T_max must be at least 1"),
        ("CosineAnnealingLR", {"T_max": 5, "eta_min": -1.0}, ValueError, "eta_min"),
        ("ReduceLROnPlateau", {"mode": "low"}, ValueError, "mode must be one of min, max"),
        ("ReduceLROnPlateau", {"threshold_mode": "x"}, ValueError, "one of rel, abs"),
        ("ReduceLROnPlateau", {"factor": 1.0}, ValueError, "factor must be below 1"),
        ("ReduceLROnPlateau", {"patience": -1}, ValueError, "patience"),
        ("ReduceLROnPlateau", {"min_lr": [0.1, 0.2]}, ValueError, "2 min_lr for 1"),
        ("ReduceLROnPlateau", {"min_lr": "low"}, TypeError, "min_lr must be a number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, chosen, error, words) -> None:
    with pytest.raises(error, match=words):
        getattr(lr_scheduler, name)(optimiser_of(1.0), **chosen)


def test_a_schedule_needs_an_optimiser() -> None:
    with pytest.raises(TypeError, match="needs an Optimizer, not float"):
        lr_scheduler.StepLR(0.1, step_size=2)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"speed": 1.0}, ValueError, r"has \['speed'\]"),
        ({"gamma": "x"}, TypeError, "gamma must be a number"),
        ({"last_epoch": -1}, ValueError, "last_epoch"),
        ({"base_lrs": [0.1, 0.2]}, ValueError, "2 base_lrs for 1 parameter groups"),
        ({"base_lrs": 0.1}, TypeError, "base_lrs must be a list"),
    ],
)
def test_a_damaged_state_changes_nothing(change, error, words) -> None:
    schedule = lr_scheduler.StepLR(optimiser_of(1.0), step_size=3)
    before = schedule.state_dict()
    with pytest.raises(error, match=words):
        schedule.load_state_dict({**before, "step_size": 7, **change})
    with pytest.raises(ValueError, match=r"lacks \['gamma'\]"):
        schedule.load_state_dict({k: v for k, v in before.items() if k != "gamma"})
    assert schedule.state_dict() == before


def test_a_state_dict_is_a_copy() -> None:
    schedule = lr_scheduler.MultiStepLR(optimiser_of(1.0), milestones=[2])
    schedule.state_dict()["milestones"].append(3)
    assert schedule.milestones == [2]


def test_a_schedule_without_a_rule_says_so() -> None:
    with pytest.raises(NotImplementedError, match="next_lr"):
        lr_scheduler.LRScheduler(optimiser_of(1.0)).step()
