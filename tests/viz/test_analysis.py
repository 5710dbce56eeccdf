from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

T, H = 5, 3


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    w = tg.tensor(rng.normal(size=(2, H)), requires_grad=True).named("W")
    u = tg.tensor(rng.normal(size=(H, H)), requires_grad=True).named("U")
    x = tg.tensor(rng.normal(size=(T, 1, 2)), requires_grad=True).named("x")
    return w, u, x


def rnn_of(w, u, prepared=False, states=None):
    """A model; with `prepared`, the weight is transposed once, outside of all steps."""

    def model(x):
        u_t = u.T if prepared else None
        h = tg.zeros((1, H))
        for t in range(T):
            with tg.scope("rnn", step=t):
                h = tg.tanh(x[t] @ w + h @ (u.T if u_t is None else u_t)).named("h")
                if states is not None:
                    states.append(h)
        return h

    return model


def test_gradient_flow_is_the_norm_of_the_gradient_of_every_state():
    w, u, x = parameters()
    states = []
    found = viz.gradient_flow(rnn_of(w, u, states=states), x)["rnn"]["h"]
    for t, gradient in enumerate(tg.grad(states[-1].sum(), states, retain_graph=True)):
        assert found[t] == pytest.approx(np.linalg.norm(gradient.data), rel=1e-12)


@pytest.mark.parametrize("prepared", [False, True])
def test_the_parts_of_the_ledger_sum_to_the_gradient(prepared):
    w, u, x = parameters()
    model = rnn_of(w, u, prepared)
    found = viz.ledger(model, x)
    whole = dict(zip("WU", tg.grad(model(x).sum(), [w, u])))
    for name, gradient in whole.items():
        np.testing.assert_allclose(sum(found[name].values()), gradient.data, rtol=1e-12, atol=0)
    assert sorted(found["W"]) == list(range(T))
    assert sorted(found["U"])[1:] == list(range(1, T))


def test_the_ledger_of_one_step_is_the_gradient_of_a_copy_used_there_alone():
    w, u, x = parameters()
    part = viz.ledger(rnn_of(w, u), x)["W"][2]
    copies = [w if t != 2 else w.detach().requires_grad_() for t in range(T)]
    h = tg.zeros((1, H))
    for t in range(T):
        h = tg.tanh(x[t] @ copies[t] + h @ u.T)
    (expected,) = tg.grad(h.sum(), [copies[2]])
    np.testing.assert_allclose(part, expected.data, rtol=1e-12)


def test_gates_are_the_named_values_over_time():
    w, u, x = parameters()
    states = []
    found = viz.gates(rnn_of(w, u, states=states), x)["rnn"]["h"]
    np.testing.assert_array_equal(found, np.stack([h.data for h in states]))


def test_a_model_without_steps_is_refused():
    x = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"tg\.scope"):
        viz.gradient_flow(tg.tanh, x)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_ledger_of_an_input_that_was_cut_out_of_a_leaf_sums_to_its_gradient(steps):
    layer, whole = nn.RNN(2, 3), tg.randn(5, 1, 2, requires_grad=True).named("whole")
    parts = viz.ledger(layer, whole[:steps])["whole"]
    layer(whole[:steps])[1].sum().backward()
    np.testing.assert_allclose(sum(parts.values()), whole.grad.data, rtol=1e-5)


def loss_at(t):
    return lambda result: result[0][t].sum()


@pytest.mark.parametrize("reverse", [False, True])
def test_a_gradient_that_has_vanished_is_zero_and_where_there_is_no_path_it_is_nan(reverse):
    steps, at = 500, 250
    layer = nn.LSTM(2, 4, reverse=reverse)
    layer.bias_hh_l0._data[4:8] = -5.0  # the forget gate is shut, so that little comes far
    found = viz.gradient_flow(layer, tg.randn(steps, 1, 2), loss_at(at))["LSTM.l0"]
    for norms in found.values():
        far, near, beyond = norms[:100], norms[at - 5 : at + 1], norms[at + 1 :]
        if reverse:
            far, near, beyond = norms[-100:], norms[at : at + 6], norms[:at]
        assert (far == 0).all() and (near > 0).all() and np.isnan(beyond).all()


def test_a_gradient_that_vanishes_before_it_comes_to_a_layer_is_zero_in_all_of_it():
    encoder, decoder = nn.RNN(2, 3), nn.RNN(2, 3)
    decoder.weight_hh_l0._data *= 1e-3
    x = tg.randn(200, 1, 2)
    found = viz.gradient_flow(lambda x: decoder(x, encoder(x)[1]), x, loss_at(-1))
    encoded, decoded = found["RNN.l0"].values()
    assert (encoded == 0).all() and decoded[-1] > 0 and (decoded[:100] == 0).all()


@pytest.mark.parametrize("options", [{"truncate": 5}, {"truncate": 5, "unroll": True}])
def test_a_gradient_that_is_cut_is_none_beyond_the_cut(options):
    layer = nn.RNN(2, 3, **options)
    norms = viz.gradient_flow(layer, tg.randn(16, 1, 2), loss_at(7))["RNN.l0"]["h"]
    np.testing.assert_array_equal(norms > 0, [5 <= t <= 7 for t in range(16)])
    assert np.isnan(norms[:5]).all() and np.isnan(norms[8:]).all()


def test_where_all_sequences_have_ended_there_is_no_state_for_a_gradient():
    layer = nn.RNN(2, 3)
    model = lambda x: layer(x, lengths=[4, 2])
    norms = viz.gradient_flow(model, tg.randn(6, 2, 2), lambda result: result[1].sum())
    np.testing.assert_array_equal(np.isnan(norms["RNN.l0"]["h"]), [False] * 4 + [True] * 2)
