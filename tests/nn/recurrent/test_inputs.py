"""Steps with an output of their own, x and outputs of any form, further inputs and constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.graph import Graph
from tinygrad_rnn.testing import CellError, check_cell

I, H, M = 2, 3, 4
few = settings(max_examples=settings().max_examples * 30 // 100)


class GapCell(nn.Cell):
    """Decays with the time gap, attends to a memory, and shows more than its state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.inner = nn.GRUCell(input_size + M, hidden_size)
        self.query = nn.Linear(hidden_size, M)
        self.read, self.output_size = nn.Linear(hidden_size + input_size, 5), 5

    def step(self, x, h, dt, memory, mask=None):
        scores = tg.softmax(tg.einsum("bm,bsm->bs", self.query(h), memory), axis=-1)
        seen = tg.einsum("bs,bsm->bm", scores, memory)
        new = self.inner(tg.concatenate([x, seen], axis=-1), tg.exp(-dt) * h)
        if mask is not None:
            new = tg.where(mask, new, h)
        return self.read(tg.concatenate([new, x], axis=-1)), new


class PairsCell(nn.Cell):
    """x, the output and the state are nests."""

    output_size = H

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)

    def step(self, x, h):
        h = tg.tanh(self.mix(tg.concatenate([x["a"] + x["b"][0], h], axis=-1)))
        return {"a": h, "b": (2.0 * h,)}, h


OPTIONS = {
    "num_layers": st.integers(1, 2),
    "batch_first": st.booleans(),
    "truncate": st.none() | st.just(2),
    "checkpoint": st.none() | st.just(2),
    "executor": st.sampled_from(["numpy", "llvm"]),
}
DIRECTIONS = st.sampled_from([{}, {"bidirectional": True}, {"reverse": True}])


@st.composite
def runs(draw, cell):
    options = draw(st.fixed_dictionaries(OPTIONS)) | draw(DIRECTIONS)
    layer = nn.Recurrent(cell(I, H), **options).astype("float64")
    return layer, draw(st.sampled_from([None, [5, 3, 0], [4, 4, 2]]))


def sequence(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def results(layer, x, lengths, inputs, constants):
    """Outputs, states and all gradients of a weighted sum of them."""
    lay = (lambda a: a.swapaxes(0, 1)) if layer.batch_first else (lambda a: a)

    def leaf(array):
        return tg.tensor(array, requires_grad=array.dtype.kind == "f")

    x, inputs = pytree.map(lambda a: leaf(lay(a)), (x, inputs))
    constants = pytree.map(leaf, constants)
    outputs, final = layer(x, lengths=lengths, constants=constants, **inputs)
    found = [*pytree.leaves(outputs), *pytree.leaves(final)]
    total = sum((r * np.cos(np.arange(r.size)).reshape(r.shape)).sum() for r in found)
    wanted = [t for t in pytree.leaves((x, inputs, constants)) if t.requires_grad]
    wanted += layer.parameters()
    grads = tg.grad(total, wanted, allow_unused=True)
    grads = [tg.zeros_like(t) if g is None else g for t, g in zip(wanted, grads, strict=True)]
    return [np.array(t.detach().data) for t in [*found, *grads]]


def compare(layer, x, lengths, inputs, constants) -> None:
    layer.unroll = True
    expected = results(layer, x, lengths, inputs, constants)
    layer.unroll = False
    for _ in range(2):
        found = results(layer, x, lengths, inputs, constants)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@few
@given(runs(GapCell), st.booleans())
def test_further_inputs_give_the_unrolled_numbers(run, masked) -> None:
    layer, lengths = run
    inputs = {"dt": np.abs(sequence(5, 3, 1))}
    if masked:
        inputs["mask"] = sequence(5, 3, 1) > 0
    compare(layer, sequence(5, 3, I), lengths, inputs, {"memory": sequence(3, 6, M)})


@few
@given(runs(PairsCell))
def test_nests_give_the_unrolled_numbers(run) -> None:
    layer, lengths = run
    if layer.bidirectional and layer.num_layers > 1:
        layer = nn.Recurrent(layer.cells[0], bidirectional=True)
    elif layer.num_layers > 1:
        layer = nn.Recurrent(PairsCell(H, H), 2).astype("float64")
    size = layer.cells[0].mix.in_features - H
    compare(layer, {"a": sequence(5, 3, size), "b": (sequence(5, 3, size),)}, lengths, {}, {})


def test_a_layer_of_steps_is_a_loop_over_them() -> None:
    layer = nn.Recurrent(GapCell(I, H), 2, bidirectional=True).astype("float64")
    x, dt, memory = sequence(5, 3, I), np.abs(sequence(5, 3, 1)), sequence(3, 6, M)
    outputs, states = layer(x, dt=dt, constants={"memory": memory})
    assert outputs.shape == (5, 3, 10) and [s.shape for s in states] == [(3, H)] * 4
    below = x
    for first in (0, 2):
        sides = []
        for place, order in ((first, range(5)), (first + 1, reversed(range(5)))):
            state, shown = None, {}
            for t in order:
                shown[t], state = layer.cells[place](
                    tg.tensor(below[t]), state, dt=tg.tensor(dt[t]), memory=tg.tensor(memory)
                )
            np.testing.assert_allclose(states[place].data, state.data, rtol=1e-10)
            sides.append(np.array([shown[t].data for t in range(5)]))
        below = np.concatenate(sides, axis=-1)
    np.testing.assert_allclose(outputs.data, below, rtol=1e-10)


def test_one_sequence_and_no_step() -> None:
    layer = nn.Recurrent(GapCell(I, H)).astype("float64")
    x, dt, memory = sequence(5, 1, I), np.abs(sequence(5, 1, 1)), sequence(1, 6, M)
    outputs, [h] = layer(x, dt=dt, constants={"memory": memory})
    alone, [its_h] = layer(x[:, 0], dt=dt[:, 0], constants={"memory": memory[0]})
    np.testing.assert_allclose(alone.data, outputs.data[:, 0])
    np.testing.assert_allclose(its_h.data, h.data[0])
    nothing, [start] = layer(x[:0], dt=dt[:0], constants={"memory": memory})
    assert nothing.shape == (0, 1, 5) and not start.data.any()
    step, new = layer.cells[0](x[0, 0], dt=dt[0, 0], memory=memory[0])
    np.testing.assert_allclose(step.data, outputs.data[0, 0])
    assert new.shape == (H,)


def test_a_constant_is_not_copied_for_each_step() -> None:
    layer = nn.Recurrent(GapCell(I, H))
    memory = tg.randn(3, 6, M, requires_grad=True)
    outputs, _ = layer(tg.randn(5, 3, I), dt=tg.ones(5, 3, 1), constants={"memory": memory})
    (outputs * 2).sum().backward(retain_graph=True)
    assert memory.grad is not None and memory.grad.data.any()
    assert all(node.shape != (5, 3, 6, M) for node in Graph.of(outputs))


@pytest.mark.parametrize(
    ("given_names", "says"),
    [
        ({"d_t": 1}, r"Recurrent takes no input 'd_t'; did you mean 'dt'\? its inputs: dt, mem"),
        ({"length": 1}, r"takes no input 'length'; did you mean 'lengths'\?"),
        ({}, r"Recurrent needs the inputs 'dt' and 'memory': call it with dt=\.\.\., memory"),
        ({"dt": 1}, r"Recurrent needs the input 'memory': call it with memory=\.\.\."),
    ],
)
def test_names_are_checked(given_names, says) -> None:
    layer = nn.Recurrent(GapCell(I, H))
    with pytest.raises(TypeError, match=says):
        layer(tg.zeros(5, 3, I), **{name: tg.ones(5, 3, 1) for name in given_names})


def test_a_cell_by_itself_names_its_inputs_too() -> None:
    with pytest.raises(TypeError, match=r"GapCell needs the inputs 'dt' and 'memory'"):
        GapCell(I, H)(tg.zeros(3, I))
    with pytest.raises(TypeError, match=r"LSTMCell takes no input 'dt'; its inputs: none besides"):
        nn.LSTMCell(I, H)(tg.zeros(3, I), dt=tg.zeros(3, 1))
    with pytest.raises(TypeError, match=r"LSTM takes no input 'foo'; its inputs: none besides"):
        nn.LSTM(I, H)(tg.zeros(5, 3, I), foo=tg.zeros(5, 3, 1))
    with pytest.raises(TypeError, match="'dt' is given for each step and as one of the constants"):
        nn.Recurrent(GapCell(I, H))(
            tg.zeros(5, 3, I), dt=tg.ones(5, 3, 1), constants={"dt": tg.ones(3, 1)}
        )


def test_shapes_of_inputs_are_checked() -> None:
    layer = nn.Recurrent(GapCell(I, H))
    x, dt, memory = tg.zeros(5, 3, I), tg.ones(5, 3, 1), tg.ones(3, 6, M)
    with pytest.raises(ValueError, match=r"dt must begin with the axes \(T, B\) = \(5, 3\)"):
        layer(x, dt=tg.ones(3, 5, 1), constants={"memory": memory})
    with pytest.raises(ValueError, match=r"memory must begin with.*goes in constants"):
        layer(x, dt=dt, memory=memory)
    with pytest.raises(ValueError, match=r"the constant memory must begin with the batch, \(3, "):
        layer(x, dt=dt, constants={"memory": tg.ones(2, 6, M)})


def test_output_is_gone_and_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"Old\.output.*def step\(self, x, state\)"):

        class Old(nn.RNNCell):
            def output(self, state):
                return 2 * state

    class Named(nn.RNNCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.output = nn.Linear(hidden_size, 2)  # a part may have this name

        def step(self, x, h):
            h = self.forward(x, h)
            return self.output(h), h

    assert Named(I, H).output_size == 2
    assert nn.Recurrent(Named(I, H), 2)(tg.zeros(5, 3, I))[0].shape == (5, 3, 2)

    with pytest.raises(TypeError, match=r"Lost defines forward, but a step of it is GapCell\.step"):

        class Lost(GapCell):
            def forward(self, x, state):
                return state


def test_an_input_may_not_have_a_name_of_the_layers() -> None:
    class Clash(nn.RNNCell):
        def step(self, x, h, lengths):
            return h, h

    with pytest.raises(TypeError, match=r"calls an input 'lengths', which is an argument of the"):
        nn.Recurrent(Clash(I, H))(tg.zeros(5, 3, I))


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (lambda h: h, r"Wrong\.step must return a pair \(output, next_state\); it returned float"),
        (lambda h: (h, (h, h)), r"a state like the one it got: float32\[3, 3\], and beside it the"),
        (lambda h: (h.data, h), r"the output that Wrong\.step returns must be made of Tensors"),
        (lambda h: (0.0, h), r"a leaf is float: compute it with ops"),
    ],
)
def test_what_a_step_returns_is_checked(result, says) -> None:
    class Wrong(nn.RNNCell):
        def step(self, x, h):
            return result(h)

    with pytest.raises((TypeError, ValueError), match=says):
        Wrong(I, H)(tg.zeros(3, I))
    with pytest.raises((TypeError, ValueError), match=says):
        nn.Recurrent(Wrong(I, H))(tg.zeros(5, 3, I))


class ImageCell(nn.Cell):
    """Channels are the features."""

    feature_axis = -3

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Conv2d(input_size + hidden_size, hidden_size, 3, padding=1)

    def initial_state(self, batch_size):
        return self.zeros(batch_size, self.hidden_size, 4, 4)

    def forward(self, x, h):
        return tg.tanh(self.mix(tg.concatenate([x, h], axis=-3)))


def test_images_are_joined_along_their_channels() -> None:
    layer = nn.Recurrent(ImageCell(2, 3), 2, bidirectional=True)
    assert layer.cells[2].mix.weight.shape[1] == 6 + 3
    outputs, states = layer(tg.randn(5, 2, 2, 4, 4), lengths=[5, 2])
    assert outputs.shape == (5, 2, 6, 4, 4) and states[3].shape == (2, 3, 4, 4)
    alone, _ = layer(tg.randn(5, 2, 4, 4))
    assert alone.shape == (5, 6, 4, 4)
    with pytest.raises(ValueError, match=r"ImageCell expects 2 features, got 3"):
        layer(tg.randn(5, 2, 3, 4, 4))


def test_an_output_of_another_size_than_is_said_is_noticed() -> None:
    class Silent(GapCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            del self.output_size

    layer = nn.Recurrent(Silent(I, H), 2)
    with pytest.raises(ValueError, match=r"Silent gives 5 features, not its output_size, 3.*= 5"):
        layer(tg.zeros(5, 3, I), dt=tg.ones(5, 3, 1), constants={"memory": tg.ones(3, 6, M)})


def test_learnt_and_given_initial_states_and_states_carried_on() -> None:
    class Learnt(nn.GRUCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.start = nn.Parameter(np.ones(hidden_size))

        def initial_state(self, batch_size):
            return tg.broadcast_to(self.start, (batch_size, self.hidden_size))

    layer = nn.Recurrent(Learnt(I, H), 2)
    assert "start_l1" in dict(layer.named_parameters())
    x = tg.randn(5, 3, I)
    outputs, states = layer(x)
    outputs[-1].sum().backward()
    assert all(p.grad is not None and p.grad.data.any() for p in (layer.start_l0, layer.start_l1))
    layer.zero_grad()
    again, _ = layer(x, tg.detach(states))
    again.sum().backward()
    assert layer.start_l0.grad is None and layer.weight_hh_l0.grad is not None


class ScaledCell(nn.RNNCell):
    """Scales its input by a gain, and adds what it is told once."""

    def step(self, x, h, gain, offset):
        h = self.forward(x * gain, h + offset)
        return h, h


def test_check_cell_asks_its_laws_of_inputs_and_constants_too() -> None:
    sizes = {"input_size": 1, "hidden_size": 1}
    report = check_cell(ScaledCell, constants={"offset": (1,)}, **sizes)
    assert {law.verdict for law in report.laws} <= {"holds", "does not apply"}


def test_check_cell_finds_a_gradient_that_an_input_lacks() -> None:
    class Cut(nn.RNNCell):
        def forward(self, x, h, dt):
            return super().forward(x, h) * (1.0 + dt.detach())

    with pytest.raises(CellError) as raised:
        check_cell(Cut, input_size=1, hidden_size=1)
    assert "inputs" in {law.name for law in raised.value.report.broken}


def test_a_plan_names_constants_and_counts_inputs() -> None:
    plan = GapCell(I, H).plan(batch_size=2, constants={"memory": (6, M)})
    assert "memory" in str(plan)
    with pytest.raises(TypeError, match="GapCell takes no input 'memori'; did you mean 'memory'"):
        GapCell(I, H).plan(constants={"memori": (6, M)})
