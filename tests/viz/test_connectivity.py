from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

from .test_analysis import H, T, parameters, rnn_of


class MinimalGated(nn.Cell):
    """One gate, used twice; of the two names one stands behind the other."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        f = tg.sigmoid(self.gate(tg.concatenate([x, h], axis=-1))).named("forget gate")
        n = tg.tanh(self.candidate(tg.concatenate([x, f * h], axis=-1))).named("candidate")
        return ((1 - f) * h + f * n).named("h")


class TwoTraces(nn.Cell):
    """A nested state, one part of it made in a scope of its own; nothing of it has a gate."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, {"trace": zeros}

    def forward(self, x, state):
        h, trace = state[0], state[1]["trace"]
        with tg.scope("inner"):
            trace = (trace * 0.9 + h * 0.1).named("trace")
        mixed = tg.tanh(self.mix(tg.concatenate([x, h], axis=-1))).named("mixed")
        return (mixed * trace + trace).named("h"), {"trace": trace}


class Nameless(nn.Cell):
    """Two states, and no name anywhere."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.map = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        a, b = tg.split(self.map(tg.concatenate([x, state[0]], axis=-1)), 2, axis=-1)
        return tg.sin(a) * state[1], tg.sigmoid(b) + state[1]


CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell, MinimalGated, TwoTraces, Nameless]


def double(module):
    """The module with its parameters in float64, and large enough to leave the linear range."""
    for parameter in module.parameters():
        parameter.data = 2.0 * parameter.data.astype(np.float64)
    return module


def leaves(state):
    if isinstance(state, tg.Tensor):
        return [state]
    parts = state.values() if isinstance(state, dict) else state
    return [leaf for part in parts for leaf in leaves(part)]


def run(cell):
    """A model that runs the cell step by step, and the states that it makes."""
    states = []

    def model(x):
        state = cell.initial_state(1)
        for leaf in leaves(state):
            leaf.requires_grad = True
        states.clear()
        for t in range(len(x)):
            with tg.scope("cell", step=t):
                state = cell(x[t], state)
            states.append(state)
        return tg.concatenate(leaves(state), axis=-1)

    return model, states


def jacobian_of(cell, x, state):
    """d (all states after one step) / d (all states before), one backward pass a number."""
    before = [leaf.detach().requires_grad_() for leaf in leaves(state)]
    fill = iter(before)

    def like(nest):
        if isinstance(nest, tg.Tensor):
            return next(fill)
        if isinstance(nest, dict):
            return {key: like(part) for key, part in nest.items()}
        return tuple(like(part) for part in nest)

    after = tg.concatenate(leaves(cell(x, like(state))), axis=-1)
    rows = [
        [
            np.zeros(leaf.size) if grad is None else np.ravel(grad.data)
            for leaf, grad in zip(
                before, tg.grad(after[0, i], before, retain_graph=True, allow_unused=True)
            )
        ]
        for i in range(after.size)
    ]
    return np.array([np.concatenate(row) for row in rows])


@settings(max_examples=settings().max_examples * 40 // 100)
@given(
    st.sampled_from(CELLS),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(2, 5),
    st.integers(0, 10**6),
)
def test_the_parts_by_path_sum_to_the_jacobian_of_each_step(make, inputs, hidden, steps, seed):
    tg.manual_seed(seed)
    cell = double(make(inputs, hidden))
    x = tg.randn(steps, 1, inputs, dtype="float64")
    model, states = run(cell)
    found = viz.connectivity(model, x, "cell")
    names = [leaf.name or leaf.op.name for leaf in leaves(states[-1])]
    for t in range(steps - 1):
        whole = sum(part[t] for part in found.paths.values())
        expected = jacobian_of(cell, x[t + 1], states[t])
        order = np.concatenate([np.arange(len(whole))[found.slices[n]] for n in names])
        np.testing.assert_allclose(whole[np.ix_(order, order)], expected, rtol=1e-9, atol=1e-14)
        norm = np.linalg.norm(whole)
        assert found.states[t + 1, t] == pytest.approx(norm, rel=1e-12)
        for shares in (found.step_shares, found.product_shares):
            assert sum(share[t] for share in shares.values()) == pytest.approx(1, rel=1e-9)


def test_the_paths_of_an_lstm_are_the_terms_of_its_equations():
    tg.manual_seed(0)
    cell = double(nn.LSTMCell(2, 3))
    x = tg.randn(4, 1, 2, dtype="float64")
    model, states = run(cell)
    found = viz.connectivity(model, x)
    gates = {
        name: values[:, 0] for name, values in next(iter(viz.gates(model, x).values())).items()
    }
    w = cell.weight_hh.data.reshape(4, 3, 3)  # i, f, g, o
    for t in range(3):
        i, f, g, o, c, _ = (gates[name][t + 1] for name in gates)
        before = states[t][1].data[0]
        shown = o * (1 - np.tanh(c) ** 2)  # d h / d c
        # To c_t+1, by c_t itself, and by h_t through each gate; to h_t+1 by way of c_t+1, or by o.
        expected = {
            "c": ("c", np.diag(f)),
            "forget gate": ("h", (before * f * (1 - f))[:, None] * w[1]),
            "input gate": ("h", (g * i * (1 - i))[:, None] * w[0]),
            "candidate": ("h", (i * (1 - g**2))[:, None] * w[2]),
        }
        at = found.slices
        for name, (start, block) in expected.items():
            part = np.zeros((6, 6))
            part[at["c"], at[start]] = block
            part[at["h"], at[start]] = shown[:, None] * block
            np.testing.assert_allclose(found.paths[name][t], part, rtol=1e-9, atol=1e-15)
        part = np.zeros((6, 6))
        part[at["h"], at["h"]] = (np.tanh(c) * o * (1 - o))[:, None] * w[3]
        np.testing.assert_allclose(found.paths["output gate"][t], part, rtol=1e-9, atol=1e-15)


class Delayed(nn.Cell):
    """Its state holds the input of the step before, which it looks at beside the present one."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Linear(2 * input_size + hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return self.zeros(batch_size, self.hidden_size), self.zeros(batch_size, self.input_size)

    def forward(self, x, state):
        h, before = state
        return tg.tanh(self.mix(tg.concatenate([x, before, h], axis=-1))).named("h"), x


class Late(Delayed):
    """It sees each input one step later, and only then."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, state):
        h, before = state
        return tg.tanh(self.mix(tg.concatenate([before, h], axis=-1))), x


class Delayed2(Delayed):
    """A line of the last inputs, the oldest of which comes in."""

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.input_size)
        return self.zeros(batch_size, self.hidden_size), {"line": [zeros, zeros], "none": None}

    def forward(self, x, state):
        h, line = state[0], state[1]["line"]
        h = tg.tanh(self.mix(tg.concatenate([x, line[1], h], axis=-1)))
        return h, {"line": [x, line[0]], "none": None}


class Twice(nn.Cell):
    """The same Tensor at two places of its state, a third that never changes, and a count."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.map = nn.Linear(input_size + 2 * hidden_size, hidden_size)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros, zeros + 0.5, tg.zeros(batch_size, dtype="int64")

    def forward(self, x, state):
        a, b, kept, count = state
        h = tg.tanh(self.map(tg.concatenate([x, a, b * kept], axis=-1))) * (count[:, None] + 1)
        return h, h, kept, count + 1


class Around(nn.Cell):
    """A cell around a cell, which takes over part of its state."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.inner = nn.LSTMCell(input_size + hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return {"held": self.inner.initial_state(batch_size), "sum": self.zeros(batch_size, 1)}

    def forward(self, x, state):
        h, c = state["held"]
        h, c = self.inner(tg.concatenate([x, tg.sin(h)], axis=-1), (h, c))
        total = state["sum"] + h.sum(axis=-1, keepdims=True)
        return {"held": (h, c * tg.sigmoid(total)), "sum": total}


EVERY_KIND = [*CELLS, Delayed, Late, Delayed2, Twice, Around]


def floating(state):
    return [leaf for leaf in tg.pytree.leaves(state) if leaf.dtype.kind == "f"]


def flat(leaves):
    return tg.concatenate([leaf.reshape(-1) for leaf in leaves], axis=0)


def jacobians_of_a_step(cell, x, state):
    """The next state, and its Jacobians by the state before and by x: a backward pass a number."""
    x = x.detach().requires_grad_()
    state = tg.pytree.map(lambda leaf: tg.tensor(leaf.data, requires_grad=False), state)
    before = [leaf.requires_grad_() for leaf in floating(state)]
    after = cell(x, state)
    numbers = flat(floating(after))
    rows = []
    for i in range(numbers.size if numbers.requires_grad else 0):
        grads = tg.grad(numbers[i], [*before, x], retain_graph=True, allow_unused=True)
        filled = [np.zeros(t.shape) if g is None else g.data for g, t in zip(grads, [*before, x])]
        rows.append(np.concatenate([np.ravel(part) for part in filled]))
    jacobian = np.array(rows)
    return after, jacobian[:, : -x.size], jacobian[:, -x.size :]


def check_connectivity(found, cell, xs, start):
    """Compare with products of the Jacobians of single steps."""
    by_state, by_input, state = [], [], start
    for x in xs:
        state, states, inputs = jacobians_of_a_step(cell, x, state)
        by_state.append(states)
        by_input.append(inputs)
    n = len(by_state[0])
    for later in range(len(xs)):
        product = np.eye(n)
        for earlier in range(later, -1, -1):
            close = {"rtol": 1e-9, "atol": 1e-14}
            expected = np.linalg.norm(product @ by_input[earlier])
            np.testing.assert_allclose(found.inputs[later, earlier], expected, **close)
            np.testing.assert_allclose(
                found.states[later, earlier], np.linalg.norm(product), **close
            )
            product = product @ by_state[earlier]
        assert not found.inputs[later, later + 1 :].any()
        assert not found.states[later, later + 1 :].any()


@settings(max_examples=settings().max_examples * 40 // 100)
@given(
    st.sampled_from(EVERY_KIND),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_every_kind_of_cell_against_jacobians_taken_one_by_one(
    make, inputs, hidden, steps, recorded, reverse, in_layers, seed
):
    tg.manual_seed(seed)
    x = tg.randn(steps, 1, inputs, dtype="float64", requires_grad=recorded)
    order = slice(None, None, -1 if reverse else None)
    if in_layers and inputs == hidden:  # so that a state with an input in it is alike in both
        layer = nn.Recurrent(make(inputs, hidden), num_layers=2, reverse=reverse).astype("float64")
        first, second = layer.cells
        found = viz.connectivity(layer, x, "Recurrent.l1")
        below = nn.Recurrent(first, reverse=reverse)
        xs, cell = below(x)[0].detach(), second
    else:
        cell = make(inputs, hidden).astype("float64")
        found = viz.connectivity(nn.Recurrent(cell, reverse=reverse), x)
        xs = x
    assert found.steps == list(range(steps))[order]
    check_connectivity(found, cell, list(xs)[order], cell.initial_state(1))


def test_a_layer_of_codes_has_no_gradient_by_its_input():
    tg.manual_seed(0)

    class Letters(nn.RNNCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.embedding = nn.Embedding(5, input_size)

        def forward(self, x, h):
            return super().forward(self.embedding(x[:, 0]), h)

    found = viz.connectivity(nn.Recurrent(Letters(2, 3)), np.array([1, 2, 0]).reshape(3, 1, 1))
    assert np.isnan(found.inputs).all()
    assert found.states[2, 0] > 0


def test_no_gradient_crosses_where_the_state_is_cut_off():
    tg.manual_seed(0)
    found = viz.connectivity(nn.LSTM(2, 3, truncate=2), tg.randn(5, 1, 2)).states
    for later, earlier in np.argwhere(np.tri(5)):
        assert (found[later, earlier] > 0) == (later // 2 == earlier // 2)


def test_an_output_that_is_fed_back_counts_as_a_way_from_state_to_state():
    tg.manual_seed(0)
    cell = double(nn.RNNCell(3, 3))

    def model(x):
        h = x
        for t in range(3):
            with tg.scope("decoder", step=t):
                h = cell(tg.sin(h), h)
        return h

    x = tg.randn(1, 3, dtype="float64")
    found = viz.connectivity(model, x)
    h = cell(tg.sin(x), x)
    step = tg.jacobian(lambda h: cell(tg.sin(h), h))(h.detach()).data.reshape(3, 3)
    assert found.states[1, 0] == pytest.approx(np.linalg.norm(step), rel=1e-9)
    assert not np.isnan(found.states).any()


def test_two_layers_together_are_one_state():
    tg.manual_seed(0)
    layer = nn.RNN(2, 3, num_layers=2)
    found = viz.connectivity(layer, tg.randn(3, 1, 2), "RNN")
    assert list(found.slices) == ["h", "h 2"]
    assert found.state_norms["h 2", "h"][1, 0] > 0
    assert not found.state_norms["h", "h 2"].any()
    assert (found.inputs[np.tril_indices(3)] > 0).all()


def test_a_layer_that_runs_more_than_once_is_refused():
    layer = nn.RNN(2, 3)
    with pytest.raises(ValueError, match="'RNN\\.l0' runs more than once"):
        viz.connectivity(lambda x: layer(layer(x)[0][..., :2])[0], tg.randn(3, 1, 2))


def test_paths_inside_that_run_in_different_orders_are_refused():
    with pytest.raises(ValueError, match=r"give the path of one"):
        viz.connectivity(nn.RNN(2, 3, bidirectional=True), tg.randn(3, 1, 2), "RNN")


@pytest.mark.parametrize(
    ("make", "paths"),
    [
        (nn.RNNCell, {"h"}),
        (nn.GRUCell, {"h", "reset gate", "update gate", "candidate"}),
        (MinimalGated, {"h", "forget gate", "candidate"}),
        (TwoTraces, {"h", "trace", "mixed"}),
    ],
)
def test_paths_have_the_names_that_the_cell_gave(make, paths):
    tg.manual_seed(0)
    model, _ = run(make(2, 3))
    assert set(viz.connectivity(model, tg.randn(3, 1, 2), "cell").paths) == paths


def test_without_names_each_state_has_a_path_by_the_name_of_its_op():
    tg.manual_seed(0)
    model, _ = run(Nameless(2, 3))
    found = viz.connectivity(model, tg.randn(3, 1, 2))
    assert set(found.paths) == {"mul", "add"}


def test_things_of_one_name_are_told_apart_by_a_number():
    def model(x):
        h = x[0]
        for t in range(3):
            with tg.scope("cell", step=t):
                a, b = tg.tanh(h).named("gate"), tg.sigmoid(h).named("gate")
                h = (a * b).named("h")
        return h

    x = tg.tensor([[0.3, -0.2]], requires_grad=True)
    assert list(viz.connectivity(model, x).paths) == ["gate", "gate 2"]


def test_a_share_is_negative_where_a_path_takes_away():
    def model(x):
        h = x
        for t in range(2):
            with tg.scope("cell", step=t):
                h = (3.0 * h - (1.0 * h).named("brake")).named("h")
        return h

    found = viz.connectivity(model, tg.tensor([1.0], requires_grad=True))
    assert found.step_shares == {"h": pytest.approx([1.5]), "brake": pytest.approx([-0.5])}


def test_where_nothing_comes_through_there_is_no_share():
    def model(x):
        h = x
        for t in range(3):
            with tg.scope("cell", step=t):
                h = ((h * (0.0 if t == 1 else 2.0)).named("gate") * 1.0).named("h")
        return h

    found = viz.connectivity(model, tg.tensor([1.0], requires_grad=True))
    np.testing.assert_array_equal(found.step_shares["gate"], [np.nan, 1.0])
    np.testing.assert_array_equal(found.states, [[1, 0, 0], [0, 1, 0], [0, 2, 1]])


def test_a_state_that_reaches_over_two_steps_counts_by_every_way():
    rng = np.random.default_rng(0)
    u, v = (tg.tensor(rng.normal(size=(2, 2)), requires_grad=True) for _ in range(2))
    x = tg.tensor(rng.normal(size=(1, 2)), requires_grad=True)

    def states(x):
        found = [x, tg.tanh(x)]
        for t in range(5):
            with tg.scope("skip", step=t):
                found.append(tg.tanh(found[-1] @ u + found[-2] @ v).named("h"))
        return found[2:]

    found = viz.connectivity(lambda x: states(x)[-1], x)
    kept = states(x)
    for earlier in range(4):
        rows = [tg.grad(kept[4][0, i], kept[earlier], retain_graph=True)[0].data for i in range(2)]
        assert found.states[4, earlier] == pytest.approx(np.linalg.norm(rows), rel=1e-9)


def test_states_and_inputs_one_by_one():
    tg.manual_seed(0)
    x = tg.randn(4, 1, 2, requires_grad=True)
    layer = nn.LSTM(2, 3)
    found = viz.connectivity(layer, x)
    squares = sum(norms**2 for norms in found.state_norms.values())
    np.testing.assert_allclose(found.states, np.sqrt(squares), rtol=1e-12)
    outputs, _ = layer(x)
    for later in range(4):
        rows = [tg.grad(outputs[later, 0, i], x, retain_graph=True)[0].data for i in range(3)]
        expected = np.linalg.norm(np.array(rows)[:, :, 0], axis=(0, 2))
        np.testing.assert_allclose(found.input_norms["h"][later], expected, rtol=1e-5, atol=1e-8)


def test_an_input_that_is_used_twice_counts_once():
    def model(x):
        h = tg.zeros(1)
        for t in range(3):
            with tg.scope("cell", step=t):
                x_t = x[t]
                h = (0.5 * h + x_t * 2.0 + x_t * 1.0).named("h")
        return h

    found = viz.connectivity(model, tg.ones(3, 1, requires_grad=True))
    np.testing.assert_allclose(found.inputs, [[3, 0, 0], [1.5, 3, 0], [0.75, 1.5, 3]])


def test_a_layer_that_reads_backward_is_seen_in_the_order_of_its_steps():
    tg.manual_seed(0)
    x = tg.randn(4, 1, 2, requires_grad=True)
    layer = nn.RNN(2, 3, bidirectional=True)
    paths = list(viz.gradient_flow(layer, x))
    for path in paths:
        found = viz.connectivity(layer, x, path)
        states = found.states
        assert found.steps == ([3, 2, 1, 0] if "reverse" in path else [0, 1, 2, 3])
        assert not states[np.triu_indices(4, 1)].any() and states[np.tril_indices(4)].all()


def test_a_first_step_made_of_fewer_ops_is_a_step_like_the_others():
    tg.manual_seed(0)
    layer = nn.Recurrent(TwoTraces(2, 3))
    flow = viz.gradient_flow(layer, tg.randn(5, 1, 2))
    names = [name for states in flow.values() for name in states]
    assert sorted(names) == ["h", "trace"]


def test_connectivity_is_that_of_jacobians_computed_one_by_one():
    w, u, x = parameters()
    found = viz.connectivity(rnn_of(w, u), x)
    h, steps = np.zeros(H), []
    for t in range(T):
        h = np.tanh(x.data[t, 0] @ w.data + h @ u.data.T)
        steps.append((1 - h**2)[:, None] * u.data)
    for later in range(T):
        product = np.eye(H)
        for earlier in range(later, -1, -1):
            expected = np.linalg.norm(product)
            assert found.states[later, earlier] == pytest.approx(expected, rel=1e-10)
            product = product @ steps[earlier]
        assert not found.states[later, later + 1 :].any()
    for t in range(T - 1):
        singular = np.linalg.svd(steps[t + 1], compute_uv=False)
        np.testing.assert_allclose(found.step_values[t], singular, rtol=1e-10)
    own = (1 - h**2)[:, None] * w.data.T
    assert found.inputs[-1, -1] == pytest.approx(np.linalg.norm(own), rel=1e-10)


def test_the_state_of_an_lstm_is_h_and_c_together():
    rng = np.random.default_rng(3)
    w = tg.tensor(rng.normal(size=(2, 8)), requires_grad=True)
    u = tg.tensor(rng.normal(size=(2, 8)), requires_grad=True)

    def step(x, h, c):
        i, f, g, o = tg.split(x @ w + h @ u, 4, axis=-1)
        c = (tg.sigmoid(f) * c + tg.sigmoid(i) * tg.tanh(g)).named("c")
        return (tg.sigmoid(o) * tg.tanh(c)).named("h"), c

    def model(x):
        h = c = tg.zeros((1, 2), dtype="float64")
        for t in range(4):
            with tg.scope("lstm", step=t):
                h, c = step(x[t], h, c)
        return h

    x = tg.tensor(rng.normal(size=(4, 1, 2)))
    found = viz.connectivity(model, x)
    h = c = tg.zeros((1, 2), dtype="float64")
    for t in range(3):
        h, c = step(x[t], h, c)

    def last(state):
        h, c = step(x[3], state[:, :2], state[:, 2:])
        return tg.concatenate([h, c], axis=-1)

    jacobian = tg.jacobian(last)(tg.concatenate([h, c], axis=-1).detach()).data.reshape(4, 4)
    assert found.states[3, 2] == pytest.approx(np.linalg.norm(jacobian), rel=1e-9)
    assert found.inputs[3, 3] > 0
    assert found.inputs[3, 0] > 0


def test_connectivity_asks_for_a_path_where_there_are_several():
    w, u, x = parameters()
    with pytest.raises(ValueError, match=r"\['rnn'\]"):
        viz.connectivity(rnn_of(w, u), x, path="other")


@tg.op
def mirrored(x):
    return x[:, ::-1]


@mirrored.vjp
def _(grad, out, x):  # with an axis before the rows, it would turn the rows around
    return grad[:, ::-1]


@tg.op
def doubled_rows(x):
    return 2 * x


@doubled_rows.vjp
def _(grad, out, x):
    rows, _ = grad.shape  # with an axis before the rows, an error
    return 2 * np.ones((rows, 1)) * grad


@pytest.mark.parametrize("op", [mirrored, doubled_rows])
def test_a_rule_that_takes_no_further_axis(op):
    class Cell(nn.RNNCell):
        def forward(self, x, h):
            return super().forward(x, op(h))

    layer = nn.Recurrent(Cell(2, 3)).astype("float64")
    x = np.random.default_rng(0).standard_normal((4, 1, 2))
    found = viz.connectivity(layer, x)
    weights = layer.weight_hh_l0.data
    with tg.no_grad():
        h = layer(x)[0].data[:, 0]
    through = weights[:, ::-1] if op is mirrored else 2 * weights
    for t in range(3):
        expected = (1 - h[t + 1] ** 2)[:, None] * through
        np.testing.assert_allclose(found.step_jacobians[t], expected, rtol=1e-10)
