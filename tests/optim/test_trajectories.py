"""Every optimiser follows PyTorch's path, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import optim

RELATIVE = 1e-10
rates = st.floats(1e-4, 0.1)
decays = st.sampled_from([0.0, 0.01, 0.3])
momenta = st.sampled_from([0.0, 0.5, 0.9])
fractions = st.floats(0.0, 0.999)
epsilons = st.floats(1e-8, 1e-2)

drawn_settings = {
    "SGD": st.one_of(
        st.fixed_dictionaries(
            {"lr": rates, "momentum": momenta, "dampening": fractions, "weight_decay": decays}
        ),
        st.fixed_dictionaries(
            {
                "lr": rates,
                "momentum": st.floats(0.1, 0.9),
                "nesterov": st.just(True),
                "weight_decay": decays,
                "maximize": st.booleans(),
            }
        ),
    ),
    "RMSprop": st.fixed_dictionaries(
        {
            "lr": rates,
            "alpha": st.floats(0.5, 0.999),
            "eps": epsilons,
            "momentum": momenta,
            "weight_decay": decays,
            "centered": st.booleans(),
        }
    ),
    **dict.fromkeys(
        ("Adam", "AdamW"),
        st.fixed_dictionaries(
            {
                "lr": rates,
                "betas": st.tuples(fractions, fractions),
                "eps": epsilons,
                "weight_decay": decays,
                "amsgrad": st.booleans(),
                "maximize": st.booleans(),
            }
        ),
    ),
}


def assert_close(ours, theirs, tolerance=RELATIVE) -> None:
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("index", range(12))
def test_paths_are_those_that_pytorch_took(runs, reference, index) -> None:
    run = reference["optimisers"][index]
    make = getattr(optim, run["name"])
    path = list(runs.trajectory(tg.tensor, make, run["settings"], reference["problem"]))
    assert len(path) == 50
    for step, parameters in run["steps"].items():
        assert_close(path[int(step) - 1], parameters)


def test_the_reference_covers_every_optimiser(runs, reference) -> None:
    found = [(run["name"], run["settings"]) for run in reference["optimisers"]]
    assert found == runs.OPTIMISERS
    assert len(found) == 12
    assert {name for name, _ in found} == set(drawn_settings)


@pytest.mark.parametrize("index", range(12))
def test_paths_are_pytorchs_at_every_step(torch, runs, index) -> None:
    name, chosen = runs.OPTIMISERS[index]
    values = runs.problem(seed=index + 1)
    ours = runs.trajectory(tg.tensor, getattr(optim, name), chosen, values)
    theirs = runs.trajectory(torch.tensor, getattr(torch.optim, name), chosen, values)
    for our, their in zip(ours, theirs, strict=True):
        assert_close(our, their)


@pytest.mark.parametrize("name", drawn_settings)
@settings(
    max_examples=settings().max_examples * 12 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), seed=st.integers(0, 99))
def test_updates_are_pytorchs_for_any_settings(torch, runs, name, data, seed) -> None:
    """The gradients are PyTorch's for both: some settings make paths that amplify rounding."""
    chosen = data.draw(drawn_settings[name])
    values = runs.problem(seed)
    theirs = runs.parameters(torch.tensor, values)
    their_params = [theirs[name] for name in "wbs"]
    our_params = [tg.tensor(values[name], requires_grad=True) for name in "wbs"]
    their_optimiser = getattr(torch.optim, name)(their_params, **chosen)
    our_optimiser = getattr(optim, name)(our_params, **chosen)
    for _ in range(50):
        their_optimiser.zero_grad()
        runs.loss(**theirs).backward()
        for our, their in zip(our_params, their_params, strict=True):
            our.grad = their.grad.numpy()
        their_optimiser.step()
        our_optimiser.step()
        assert_close(
            [p.data for p in our_params],
            [p.detach().numpy() for p in their_params],
            # The variance of gradients that hardly change is what rounding leaves of a difference.
            1e-7 if chosen.get("centered") else RELATIVE,
        )


def test_defaults_are_pytorchs(torch) -> None:
    for name in drawn_settings:
        ours = getattr(optim, name)([tg.tensor([1.0], requires_grad=True)])
        theirs = getattr(torch.optim, name)([torch.ones(1, requires_grad=True)])
        for setting, value in ours.param_groups[0].items():
            if setting != "params":
                assert theirs.param_groups[0][setting] == value, (name, setting)


def test_groups_have_settings_of_their_own_as_in_pytorch(torch, runs) -> None:
    def make_with(adam):
        return lambda params: adam(
            [
                {"params": params[:1], "lr": 0.1, "weight_decay": 0.2},
                {"params": iter(params[1:]), "betas": (0.7, 0.8)},
            ],
            lr=0.01,
        )

    values = runs.problem()
    ours = runs.trajectory(tg.tensor, make_with(optim.Adam), {}, values)
    theirs = runs.trajectory(torch.tensor, make_with(torch.optim.Adam), {}, values)
    for our, their in zip(ours, theirs, strict=True):
        assert_close(our, their)


@pytest.mark.parametrize("name", drawn_settings)
def test_float32_paths_stay_near_float64_ones(runs, reference, name) -> None:
    make = getattr(optim, name)
    exact = reference["problem"]
    rounded = {name: value.astype(np.float32) for name, value in exact.items()}
    last = list(runs.trajectory(tg.tensor, make, {"lr": 0.01}, rounded))[-1]
    expected = list(runs.trajectory(tg.tensor, make, {"lr": 0.01}, exact))[-1]
    for our, their in zip(last, expected, strict=True):
        assert our.dtype == np.float32
        np.testing.assert_allclose(our, their, rtol=1e-4, atol=1e-4)
