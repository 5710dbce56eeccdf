"""One step: the textbook equations, cells of one's own, and what a cell refuses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.graph import Graph


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def step():
    """x (2, 3), h and c (2, 4), and a function from a cell to its weights, one list a gate."""
    rng = np.random.default_rng(0)

    def gates(cell: nn.Cell, count: int) -> list[tuple[np.ndarray, ...]]:
        cell.astype("float64")
        parts = (np.split(p.data, count) for p in cell.parameters())
        return list(zip(*parts, strict=True))

    return rng.standard_normal((2, 3)), *rng.standard_normal((2, 2, 4)), gates


def test_the_rnn_cell_is_its_equation(step) -> None:
    x, h, _, gates = step
    cell = nn.RNNCell(3, 4)
    ((w, u, b, d),) = gates(cell, 1)
    np.testing.assert_allclose(cell(x, h).data, np.tanh(x @ w.T + h @ u.T + b + d), rtol=1e-13)


def test_the_lstm_cell_is_its_equations(step) -> None:
    x, h, c, gates = step
    cell = nn.LSTMCell(3, 4)
    i, f, g, o = (x @ w.T + h @ u.T + b + d for w, u, b, d in gates(cell, 4))
    new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    found_h, found_c = cell(x, (h, c))
    np.testing.assert_allclose(found_c.data, new_c, rtol=1e-13)
    np.testing.assert_allclose(found_h.data, sigmoid(o) * np.tanh(new_c), rtol=1e-13)


def test_the_gru_cell_is_its_equations(step) -> None:
    x, h, _, gates = step
    cell = nn.GRUCell(3, 4)
    from_x, from_h = zip(*((x @ w.T + b, h @ u.T + d) for w, u, b, d in gates(cell, 3)))
    r, z = (sigmoid(a + b) for a, b in zip(from_x[:2], from_h[:2]))
    n = np.tanh(from_x[2] + r * from_h[2])
    np.testing.assert_allclose(cell(x, h).data, (1 - z) * n + z * h, rtol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_the_first_state_is_zero_and_the_batch_may_be_missing_or_empty(kind) -> None:
    cell = kind(3, 4)
    x = tg.randn(2, 3)
    one, all_, zeros = map(pytree.leaves, (cell(x[1]), cell(x), cell(x, cell.initial_state(2))))
    for a, b, c in zip(one, all_, zeros, strict=True):
        assert (a.shape, b.shape, b.dtype) == ((4,), (2, 4), np.float32)
        np.testing.assert_allclose(a.data, b.data[1], rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(b.data, c.data)
    for leaf in pytree.leaves(cell(tg.zeros(0, 3))):
        assert leaf.shape == (0, 4)


def test_the_intermediates_have_their_names() -> None:
    names = set()
    for cell in (nn.RNNCell(3, 4), nn.LSTMCell(3, 4), nn.GRUCell(3, 4)):
        graph = Graph.of(pytree.leaves(cell(tg.ones(1, 3)))[0])
        names |= {node.name for node in graph if node.name}
    assert {
        "forget gate",
        "input gate",
        "candidate",
        "output gate",
        "reset gate",
        "update gate",
        "h",
        "c",
    } <= names


def test_refusals_of_the_sizes_and_options() -> None:
    with pytest.raises(ValueError, match="nonlinearity is 'tanh' or 'relu', not 'sin'"):
        nn.RNNCell(3, 4, nonlinearity="sin")
    for sizes in ((3, 0), (-1, 4)):
        with pytest.raises(ValueError, match=r"hidden_size|input_size"):
            nn.GRUCell(*sizes)
    with pytest.raises(ValueError, match=r"RNNCell expects 3 features, got 5"):
        nn.RNNCell(3, 4)(tg.zeros(2, 5))
    with pytest.raises(ValueError, match="not a number"):
        nn.RNNCell(3, 4)(1.0)


@pytest.mark.parametrize("batch", [2, 3])
def test_a_state_that_does_not_fit_is_named_as_the_fault(batch) -> None:
    x, h = tg.zeros(batch, 3), tg.zeros(batch, 4)
    expected = r"LSTMCell on x of shape .* takes a state like \(float32"
    for state in (h, (h,), (h, h, h), [h, h], (h, tg.zeros(batch, 5)), (h, tg.zeros(5, 4))):
        with pytest.raises(ValueError, match=expected):
            nn.LSTMCell(3, 4)(x, state)
    with pytest.raises(ValueError, match=r"RNNCell on x .* it was given float32\[5, 4\]"):
        nn.RNNCell(3, 4)(x, tg.zeros(5, 4))


class Memory(NamedTuple):
    h: tg.Tensor
    slow: dict[str, tuple[tg.Tensor, ...]]


class NestedCell(nn.Cell):
    """A state of named tuple, dict and tuple; submodules; the dict comes back in another order."""

    def __init__(self, hidden_size: int, *, input_size: int = 3) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def initial_state(self, batch_size):
        h = self.zeros(batch_size, self.hidden_size)
        return Memory(h, {"mean": (h, h + 1.0), "count": (self.zeros(batch_size, 1),)})

    def forward(self, x, state):
        h, slow = state
        h = tg.tanh(self.norm(self.mix(tg.concatenate([x, h], axis=-1))))
        first, second = slow["mean"]
        count = slow["count"][0] + 1.0
        return Memory(h, {"count": (count,), "mean": (0.5 * first + 0.5 * h, second * h)})


class OutputCell(nn.Cell):
    """Shows something other than its state, of another size."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.inner = nn.GRUCell(input_size, hidden_size)
        self.read = nn.Linear(hidden_size, 2)

    def step(self, x, state):
        h = self.inner(x, state)
        return self.read(h), h


def test_a_nested_state_keeps_its_structure_and_its_leaves_their_places() -> None:
    cell = NestedCell(4)
    state = None
    for steps in (1.0, 2.0):
        state = cell(tg.ones(2, 3), state)
        assert isinstance(state, Memory) and list(state.slow) == ["mean", "count"]
        np.testing.assert_array_equal(state.slow["count"][0].data, np.full((2, 1), steps))
    output, last = cell.advance(tg.ones(2, 3), state)
    assert output is last.h
    unbatched = cell(tg.ones(3))
    assert unbatched.slow["mean"][1].shape == (4,)


def test_a_nested_state_runs_over_sequences_in_every_way() -> None:
    layer = nn.Recurrent(NestedCell(4), num_layers=2, bidirectional=True)
    outputs, final = layer(tg.randn(5, 2, 3), lengths=[5, 3])
    assert outputs.shape == (5, 2, 8) and [type(state) for state in final] == [Memory] * 4
    assert final[0].slow["mean"][0].shape == (2, 4)
    for state in final:
        np.testing.assert_array_equal(state.slow["count"][0].data[:, 0], [5.0, 3.0])
    again, _ = layer(tg.randn(5, 2, 3), final)
    assert again.shape == outputs.shape
    (outputs.sum() + sum(state.slow["mean"][1].sum() for state in final)).backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert [name for name, _ in layer.named_parameters()][:5] == [
        "mix.weight_l0",
        "mix.bias_l0",
        "norm.weight_l0",
        "norm.bias_l0",
        "mix.weight_l0_reverse",
    ]


@pytest.mark.parametrize("cell", [NestedCell, OutputCell])
@pytest.mark.parametrize("truncate", [None, 2])
def test_cells_of_ones_own_give_the_same_numbers_in_both_ways(cell, truncate) -> None:
    layer = nn.Recurrent(cell(hidden_size=4, input_size=3), num_layers=2, bidirectional=True)
    layer.astype("float64").truncate = truncate
    found = []
    for unroll in (False, True):
        layer.unroll = unroll
        x = tg.tensor(np.sin(np.arange(30.0)).reshape(5, 2, 3), requires_grad=True)
        outputs, final = layer(x, lengths=[5, 3])
        total = sum((leaf * leaf).sum() for leaf in (outputs, *pytree.leaves(final)))
        grads = tg.grad(total, [x, *layer.parameters()])
        found.append([r.detach().data for r in (outputs, *pytree.leaves(final), *grads)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_a_given_state_may_have_its_keys_in_another_order() -> None:
    layer = nn.Recurrent(NestedCell(4))
    x = tg.randn(5, 2, 3)
    _, [final] = layer(x)
    mixed = Memory(final.h, dict(reversed(final.slow.items())))
    np.testing.assert_array_equal(layer(x, [mixed])[0].data, layer(x, [final])[0].data)


def test_the_output_may_be_another_than_the_state() -> None:
    layer = nn.Recurrent(OutputCell(3, 4), num_layers=2, bidirectional=True)
    outputs, final = layer(tg.randn(5, 2, 3), lengths=[5, 3])
    assert outputs.shape == (5, 2, 4) and [h.shape for h in final] == [(2, 4)] * 4
    assert not outputs.data[3:, 1].any()
    assert layer(tg.zeros(0, 2, 3))[0].shape == (0, 2, 4)
    assert "inner.weight_ih_l1" in dict(layer.named_parameters())
    assert layer.state_dict()["inner.weight_ih_l1"].shape == (12, 4)


def test_further_cells_are_made_as_the_first_was() -> None:
    class Inherited(nn.LSTMCell):
        """No `__init__` of its own."""

    layer = nn.Recurrent(Inherited(3, 4, bias=False).astype("float64"), num_layers=2)
    assert layer.weight_ih_l1.shape == (16, 4) and layer.weight_ih_l1.dtype == np.float64
    assert not any("bias" in name for name in layer.state_dict())
    assert layer(np.zeros((2, 1, 3)))[0].dtype == np.float64

    class Fixed(nn.Cell):
        hidden_size = 2

        def forward(self, x, state):
            return state + x

    assert nn.Recurrent(Fixed())(tg.ones(3, 1, 2))[1][0].tolist() == [[3.0, 3.0]]
    with pytest.raises(TypeError, match=r"Fixed\.__init__ needs an argument input_size"):
        nn.Recurrent(Fixed(), num_layers=2)
    assert nn.Recurrent(Fixed(), bidirectional=True)(tg.ones(3, 1, 2))[0].shape == (3, 1, 4)


def cell_that_returns(make):
    class Wrong(nn.Cell):
        hidden_size = 2

        def initial_state(self, batch_size):
            return {"a": self.zeros(batch_size, 2), "b": self.zeros(batch_size, 2)}

        def forward(self, x, state):
            return make(state["a"])

    return Wrong()


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a,
        lambda a: {"a": a},
        lambda a: {"a": a, "c": a},
        lambda a: {"a": a, "b": (a,)},
        lambda a: {"a": a, "b": a[:1]},
        lambda a: (a, a),
    ],
)
def test_a_new_state_unlike_the_old_one_is_refused(make) -> None:
    with pytest.raises(ValueError, match=r"Wrong\.forward must return a state like the one it got"):
        cell_that_returns(make)(tg.zeros(2, 3))


@pytest.mark.parametrize("made", [lambda a: 0.0, lambda a: a.data, lambda a: np.float32(0)])
def test_a_new_state_that_is_no_tensor_is_refused(made) -> None:
    with pytest.raises(TypeError, match=r"state that Wrong\.forward returns must be made of Tens"):
        cell_that_returns(lambda a: {"a": a, "b": made(a)})(tg.zeros(2, 3))


def test_an_unfinished_cell_says_what_is_missing() -> None:
    class Empty(nn.Cell):
        pass

    with pytest.raises(NotImplementedError, match="hidden_size or a method initial_state"):
        Empty()(tg.zeros(2, 3))
    with pytest.raises(NotImplementedError, match=r"Empty has no forward\(x, state\)"):
        Empty()(tg.zeros(2, 3), tg.zeros(2, 4))


class Around(nn.Cell):
    """A cell around others that are its arguments, in every form of argument."""

    def __init__(self, inner, others=(), *, norm=None, scale=None):
        self.inner, self.others, self.norm, self.scale = inner, list(others), norm, scale
        self.hidden_size = inner.hidden_size

    def initial_state(self, batch_size):
        return tuple(cell.initial_state(batch_size) for cell in (self.inner, *self.others))

    def forward(self, x, states):
        cells = (self.inner, *self.others)
        new = [cell(x, state) for cell, state in zip(cells, states)]
        first = pytree.map(lambda leaf: leaf if self.norm is None else self.norm(leaf), new[0])
        return (first, *new[1:])


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_layers_of_a_cell_made_of_cells_share_nothing(num_layers, bidirectional) -> None:
    class Summed(nn.Cell):
        def __init__(self, a, b, head):
            self.a, self.b, self.head, self.hidden_size = a, b, head, a.hidden_size

        def initial_state(self, batch_size):
            return {"a": self.a.initial_state(batch_size), "b": self.b.initial_state(batch_size)}

        def forward(self, x, state):
            h, c = self.a(x, state["a"])
            other = self.b(x, state["b"])
            return {"a": (h + self.head(other), c), "b": other}

    def layer_of(seed):
        tg.manual_seed(seed)
        cell = Summed(nn.LSTMCell(3, 4), nn.GRUCell(3, 4), nn.Sequential(nn.Linear(4, 4)))
        return nn.Recurrent(cell, num_layers=num_layers, bidirectional=bidirectional)

    layer = layer_of(0).astype("float64")
    assert len(list(layer.parameters())) == len(layer.state_dict())
    assert {p.dtype for p in layer.parameters()} == {np.dtype("float64")}
    first, *more = layer.cells
    for other in more:  # drawn anew, too
        for one, two in zip(first.parameters(), other.parameters()):
            assert one.shape != two.shape or not np.array_equal(one.data, two.data)
    outputs, _ = layer(tg.ones(5, 2, 3, dtype="float64"))
    assert outputs.shape == (5, 2, 4 * (1 + bidirectional))
    fresh = layer_of(1).astype("float64")
    fresh.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(fresh(tg.ones(5, 2, 3, dtype="float64"))[0].data, outputs.data)


def test_a_module_is_made_again_with_all_its_arguments() -> None:
    parts = {"norm": nn.LayerNorm(4), "scale": nn.Parameter(2.0)}
    cell = Around(nn.LSTMCell(3, 4), [nn.RNNCell(3, 2)], **parts)
    again = cell.made_again()
    assert not {id(p) for p in cell.parameters()} & {id(p) for p in again.parameters()}
    assert [p.shape for p in cell.parameters()] == [p.shape for p in again.parameters()]
    assert again.scale.item() == 2.0
    wider = cell.sibling(7)
    assert (wider.inner.input_size, wider.others[0].input_size) == (7, 7)


def test_cells_inside_that_take_something_else_keep_their_size() -> None:
    class Stacked(nn.Cell):
        def __init__(self, input_size, lower, upper):
            self.lower, self.upper, self.hidden_size = lower, upper, upper.hidden_size

        def initial_state(self, batch_size):
            return self.upper.initial_state(batch_size), self.lower.initial_state(batch_size)

        def forward(self, x, state):
            lower = self.lower(x, state[1])
            return self.upper(lower, state[0]), lower

    layer = nn.Recurrent(Stacked(3, nn.RNNCell(3, 5), nn.GRUCell(5, 4)), num_layers=2)
    assert layer(tg.zeros(6, 2, 3))[0].shape == (6, 2, 4)


def test_a_cell_without_an_input_size_anywhere_has_one_layer() -> None:
    with pytest.raises(TypeError, match="needs an argument input_size"):
        nn.Recurrent(NoSize(), num_layers=2)


class NoSize(nn.Cell):
    hidden_size = 4

    def forward(self, x, h):
        return h + x
