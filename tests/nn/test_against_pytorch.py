"""Outputs and gradients are PyTorch's: its stored results, and many more runs where it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg

RUN_COUNTS = {"layer": 8, "loss": 11, "cell": 6, "recurrent": 6}
RUNS = [(family, index) for family, count in RUN_COUNTS.items() for index in range(count)]

many = settings(
    max_examples=settings().max_examples * 40 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_every_run_is_stored(runs, reference) -> None:
    assert {family: len(cases) for family, cases in runs.RUNS.items()} == RUN_COUNTS
    assert list(reference) == [f"{family}/{index}" for family, index in RUNS]


@pytest.mark.parametrize(("family", "index"), RUNS)
def test_results_are_those_stored(runs, reference, family, index) -> None:
    for library in (runs.ours, runs.unrolled):
        runs.assert_equal(runs.results(library, family, index), reference[f"{family}/{index}"])


@pytest.mark.parametrize(("family", "index"), RUNS)
def test_what_is_stored_is_what_pytorch_finds(torch, runs, reference, family, index) -> None:
    runs.assert_equal(runs.results(runs.Torch(), family, index), reference[f"{family}/{index}"])


@st.composite
def recurrent_runs(draw):
    """Kind, options, lengths, whether from an initial state, and sizes."""
    kind = draw(st.sampled_from(["RNN", "LSTM", "GRU"]))
    options = {
        "num_layers": draw(st.integers(1, 3)),
        "bidirectional": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    steps = draw(st.integers(1, 6))
    batch = draw(st.sampled_from([(), (1,), (2,), (4,)]))
    lengths = None
    if batch and draw(st.booleans()):
        lengths = draw(st.lists(st.integers(1, steps), min_size=batch[0], max_size=batch[0]))
    sizes = (steps, *batch, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return kind, options, lengths, draw(st.booleans()), sizes


@many
@given(recurrent_runs())
def test_recurrent_layers_are_pytorchs(torch, runs, run) -> None:
    kind, options, lengths, with_state, sizes = run
    if len(sizes) == 3:
        options = {**options, "batch_first": False}  # of no meaning without a batch
    run = kind, options, lengths, with_state, sizes
    expected = runs.recurrent(runs.Torch(), *run)
    for library in (runs.ours, runs.unrolled):
        runs.assert_equal(runs.recurrent(library, *run), expected)


@many
@given(
    st.sampled_from(["cross_entropy", "nll_loss"]),
    st.sampled_from(["mean", "sum", "none"]),
    st.booleans(),
    st.lists(st.sampled_from([0, 1, 2, -100]), min_size=1, max_size=6),
    st.sampled_from([0.1, 1.0, 1000.0]),
)
def test_class_losses_are_pytorchs(torch, runs, name, reduction, weighted, target, scale) -> None:
    if reduction == "mean":
        target = [*target, 1]  # a mean of nothing is an error, see test_functional
    options = {"reduction": reduction}
    if weighted:
        options["weight"] = np.array([0.5, 2.0, 1.0])
    run = name, options, scale * runs.wave(len(target), 3), np.array(target)
    runs.assert_equal(runs.loss(runs.ours, *run), runs.loss(runs.Torch(), *run))


@many
@given(
    st.sampled_from(["mse_loss", "binary_cross_entropy_with_logits"]),
    st.sampled_from(["mean", "sum", "none"]),
    st.lists(st.integers(1, 3), max_size=3),
)
def test_elementwise_losses_are_pytorchs(torch, runs, name, reduction, shape) -> None:
    target = runs.wave(*shape, phase=1.0) ** 2
    run = name, {"reduction": reduction}, 5 * runs.wave(*shape), target
    runs.assert_equal(runs.loss(runs.ours, *run), runs.loss(runs.Torch(), *run))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "bias": False}])
def test_weights_of_recurrent_layers_travel_both_ways(torch, kind, options) -> None:
    theirs = getattr(torch.nn, kind)(3, 4, **options)
    ours = getattr(tg.nn, kind)(3, 4, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype("float32")
    before = ours(x)[0].detach().numpy()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    there = theirs(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(there, before, rtol=1e-4, atol=1e-6)
    other = getattr(tg.nn, kind)(3, 4, **options)
    other.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(other(x)[0].detach().numpy(), before)


def test_weights_of_a_whole_model_travel_both_ways(torch) -> None:
    def model(nn, tanh):
        net = nn.Sequential(nn.Embedding(7, 4), nn.LayerNorm(4), tanh, nn.Linear(4, 7))
        net[3].weight = net[0].weight  # tied: PyTorch stores it under both names
        return net

    ours, theirs = model(tg.nn, tg.tanh), model(torch.nn, torch.nn.Tanh())
    names = ["0.weight", "1.weight", "1.bias", "3.weight", "3.bias"]
    assert list(ours.state_dict()) == list(theirs.state_dict()) == names
    ours.load_state_dict(theirs.state_dict())
    x = np.arange(7)
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    assert len(list(ours.parameters())) == len(list(theirs.parameters())) == 4


def test_dropping_everything_between_layers_is_pytorchs(torch, runs) -> None:
    run = "GRU", {"num_layers": 2, "dropout": 1.0}, [4, 2, 3], True
    runs.assert_equal(runs.recurrent(runs.ours, *run), runs.recurrent(runs.Torch(), *run))


def test_initial_values_are_distributed_as_pytorchs(torch) -> None:
    for build in (
        lambda nn: nn.Linear(400, 300),
        lambda nn: nn.Embedding(300, 300),
        lambda nn: nn.LSTM(50, 100),
        lambda nn: nn.GRUCell(50, 100),
        lambda nn: nn.LayerNorm(8),
    ):
        ours, theirs = build(tg.nn), build(torch.nn)
        for (name, our), (their_name, their) in zip(
            ours.named_parameters(), theirs.named_parameters(), strict=True
        ):
            assert name == their_name
            their = their.detach().numpy()
            assert our.dtype == their.dtype
            noise = 6 * their.std() / np.sqrt(their.size)
            assert our.data.mean() == pytest.approx(their.mean(), abs=noise)
            assert our.data.std() == pytest.approx(their.std(), abs=noise)
            if "Embedding" not in type(ours).__name__:  # all others are uniform: the bounds too
                assert np.abs(our.data).max() == pytest.approx(np.abs(their).max(), rel=0.1)
