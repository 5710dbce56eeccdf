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
