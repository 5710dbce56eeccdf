"""A scan gives the numbers of the unrolled run: sizes, options, gradients from few places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree

KINDS = [nn.RNN, nn.LSTM, nn.GRU]


@st.composite
def runs(draw):
    """A layer with any options, a sequence, lengths or None, a state or None."""
    options = {
        "num_layers": draw(st.integers(1, 2)),
        "bidirectional": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0.0, 0.4])),
        "batch_first": draw(st.booleans()),
        "truncate": draw(st.none() | st.integers(1, 4)),
        "bias": draw(st.booleans()),
    }
    options["reverse"] = not options["bidirectional"] and draw(st.booleans())
    sizes = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from(["float64", "float64", "float32"]))
    layer = draw(st.sampled_from(KINDS))(*sizes, **options).astype(dtype)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    layer.load_state_dict({n: rng.standard_normal(a.shape) for n, a in layer.state_dict().items()})
    steps, batch = draw(st.integers(0, 5)), draw(st.none() | st.integers(0, 3))
    shape = (steps, sizes[0]) if batch is None else (steps, batch, sizes[0])
    if options["batch_first"] and batch is not None:
        shape = (batch, steps, sizes[0])
    x = rng.standard_normal(shape).astype(dtype)
    lengths = state = None
    if batch is not None and draw(st.booleans()):
        lengths = draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    if draw(st.booleans()):
        with tg.no_grad():
            _, final = layer(tg.zeros(*shape, dtype=dtype))
        state = pytree.map(lambda s: rng.standard_normal(s.shape).astype(dtype), final)
    for parameter in layer.parameters():
        parameter.requires_grad = draw(st.sampled_from([True, True, False]))
    return layer, x, state, lengths


@settings(
    max_examples=settings().max_examples * 120 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(runs(), st.sets(st.integers(0, 2), min_size=1), st.booleans())
def test_every_option_and_size(scans, run, counted, training) -> None:
    layer, x, state, lengths = run
    layer.train(training)
    found = []
    for layer.unroll in (True, False, False):
        found.append(scans.results(layer, x, state, lengths, lambda k: k in counted))
        scans.assert_same(found[-1], found[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_that_comes_from_few_places(kind) -> None:
    layer = kind(2, 3).astype("float64")
    x = tg.tensor(np.random.default_rng(0).standard_normal((6, 2, 2)), requires_grad=True)

    def first_row(outputs, final):
        return outputs[2, 1].sum()

    def last_state(outputs, final):
        return pytree.leaves(final)[-1][0, 1].sum()

    def both(outputs, final):
        return (outputs[::2] * outputs[1::2]).sum() - pytree.leaves(final)[0].sum()

    for loss in (first_row, last_state, both):
        found = []
        for layer.unroll in (True, False):
            inputs = [x, *layer.parameters()]
            found.append(tg.grad(loss(*layer(x)), inputs))
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one.data, other.data, rtol=1e-11, atol=1e-14)


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    layer = nn.LSTM(2, 3)
    x = tg.ones(4, 1, 2)
    layer(x)[0].sum().backward()
    assert x.grad is None and layer.weight_ih_l0.grad is not None
    layer.zero_grad()
    layer.requires_grad_(False)
    layer.bias_hh_l0.requires_grad = True
    layer(x)[0].sum().backward()
    assert [name for name, p in layer.named_parameters() if p.grad is not None] == ["bias_hh_l0"]
    layer.requires_grad_(False)
    assert not layer(x)[0].requires_grad
    h = tg.zeros(1, 1, 3, requires_grad=True)
    c = tg.zeros(1, 1, 3)
    layer(x, (h, c))[0].sum().backward()
    assert h.grad is not None and c.grad is None


def test_without_recording_nothing_is_kept() -> None:
    layer = nn.GRU(2, 3)
    x = tg.ones(4, 1, 2, requires_grad=True)
    with tg.no_grad():
        outputs, final = layer(x)
    assert not outputs.requires_grad and not final.requires_grad and outputs.op is None
    recorded, _ = layer(x)
    assert recorded.requires_grad
    np.testing.assert_array_equal(recorded.data, outputs.data)


def test_arrays_that_are_not_contiguous_or_not_writable() -> None:
    layer = nn.LSTM(3, 4).astype("float64")
    base = np.random.default_rng(0).standard_normal((3, 2, 12))
    views = {
        "transposed": base.T[:6, :, :3],
        "strided": base[:, :, ::4],
        "backwards": base[::-1, :, :3],
        "repeated": np.broadcast_to(base[:1, :, :3], (5, 2, 3)),
    }
    for x in views.values():
        frozen = np.array(x)
        frozen.flags.writeable = False
        found = []
        for layer.unroll, given_x in ((True, frozen), (False, x), (False, frozen)):
            outputs, (_, c) = layer(given_x)
            grads = tg.grad(np.swapaxes(outputs, 0, 1).sum() + c.sum(), [*layer.parameters()])
            found.append([outputs.detach().data, *(g.data for g in grads)])
        for other in found[1:]:
            for one, two in zip(found[0], other, strict=True):
                np.testing.assert_allclose(two, one, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_large_values_raise_no_warnings(kind) -> None:
    layer = kind(2, 3)
    for scale in (1e3, 1e30, 0.0):
        x = tg.tensor(np.full((4, 2, 2), scale, "float32"), requires_grad=True)
        outputs, _ = layer(x, lengths=[4, 1])
        outputs.sum().backward()
        assert np.isfinite(outputs.data).all() and np.isfinite(x.grad.data).all()
