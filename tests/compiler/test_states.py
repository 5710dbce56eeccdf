"""A scan gives the numbers of the unrolled run: outputs of every kind, cells in cells, dtypes."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

H, T, B = 3, 5, 2
X = np.random.default_rng(0).standard_normal((T, B, 2))


def linear(cell, x, h):
    return x @ cell.w + h @ cell.u + cell.b


PLAIN = {"w": (2, H), "u": (H, H), "b": (H,)}


def plain(cell, x, h):
    return tg.tanh(linear(cell, x, h))


def made(scans, dtype="float64", **options):
    return scans.StepCell(plain, **options, **PLAIN).astype(dtype)


SHOWN = {
    "another size": lambda cell, h: tg.tanh(h @ cell.u)[:, :2] * 2.0,
    "a parameter": lambda cell, h: tg.broadcast_to(cell.b, h.shape),
    "a constant": lambda cell, h: tg.ones(*h.shape, dtype=h.dtype),
    "integers": lambda cell, h: np.argmax(h, axis=-1, keepdims=True),
    "a view": lambda cell, h: np.swapaxes(h, 0, 1),
    "a reshaped view": lambda cell, h: tg.reshape(h, (-1, 1, H)),
    "both": lambda cell, h: tg.concatenate([h, h], axis=-1),
    "random": lambda cell, h: nn.functional.dropout(h, 0.5),
}


@pytest.mark.parametrize("shown", SHOWN)
def test_the_output_may_be_anything(scans, shown) -> None:
    cell = made(scans, output=SHOWN[shown])
    scans.both_ways(cell, X, scans.some_state(cell))
    if shown != "a view":
        scans.both_ways(cell, X, scans.some_state(cell), lengths=[0, 4])


def test_the_output_need_not_depend_on_the_carry(scans) -> None:
    def step(cell, x, state):
        return tg.tanh(linear(cell, x, state[0])), x

    for output in (lambda cell, state: state[1], lambda cell, state: state[1] * 2.0):
        cell = scans.StepCell(
            step, lambda cell, n: (cell.zeros(n, H), cell.zeros(n, 2)), output, **PLAIN
        ).astype("float64")
        scans.both_ways(cell, X)
        x = tg.tensor(X)
        outputs, _ = nn.Recurrent(cell)(x)
        before = np.array(outputs.data)
        outputs.data[...] = 7.0  # memory of its own: the inputs stay
        np.testing.assert_array_equal(x.data, X)
        np.testing.assert_array_equal(nn.Recurrent(cell)(x)[0].data, before)


KNOWN = [nn.RNNCell, nn.LSTMCell, nn.GRUCell]


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize("sizes", [(2, 3), (1, 1), (2, 8)])
def test_the_built_in_cells(scans, kind, sizes) -> None:
    for bias in (True, False):
        cell = kind(*sizes, bias=bias).astype("float64")
        x = np.random.default_rng(1).standard_normal((6, 3, sizes[0]))
        scans.both_ways(cell, x, scans.some_state(cell, 3), lengths=[6, 0, 2])


class Submodules(nn.Cell):
    """Linear, LayerNorm, Dropout, a buffer, and two other cells, one step of each."""

    def __init__(self, input_size: int = 2, hidden_size: int = H) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Linear(input_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        self.drop = nn.Dropout(0.3)
        self.cells = [nn.GRUCell(hidden_size, hidden_size), nn.LSTMCell(hidden_size, hidden_size)]
        self.register_buffer("scale", np.array([0.5]))

    def initial_state(self, batch_size):
        return [cell.initial_state(batch_size) for cell in self.cells]

    def step(self, x, state):
        first = h = self.cells[0](self.drop(self.norm(self.mix(x))), state[0])
        h, c = self.cells[1](h * self.scale, state[1])
        return h + first, [first, (h, c)]


def test_cells_in_cells_with_submodules_and_buffers(scans) -> None:
    cell = Submodules().astype("float64")
    scans.both_ways(cell, X, scans.some_state(cell, layers=4), num_layers=2, bidirectional=True)
    cell.eval()
    scans.both_ways(cell, X, lengths=[2, 4])


def test_looking_for_the_output_size_draws_no_random_numbers() -> None:
    cell = Submodules().astype("float64")
    layer = nn.Recurrent(cell, num_layers=2, bidirectional=True, unroll=True)
    first, again = ((tg.manual_seed(5), layer(X)[0])[1] for _ in range(2))
    np.testing.assert_array_equal(first.detach().numpy(), again.detach().numpy())


class Embedded(nn.Cell):
    """Integer inputs."""

    def __init__(self, input_size: int = 1) -> None:
        self.hidden_size = H
        self.table = nn.Embedding(5, H)
        self.u = nn.Parameter(np.random.default_rng(0).standard_normal((H, H)), "float64")

    def forward(self, x, h):
        z = self.table(x) + h @ self.u
        return tg.tanh(z + tg.one_hot(x, 5)[:, :H] * 0.1 + tg.take(self.table.weight, x, axis=0))


@pytest.mark.parametrize("lengths", [None, [0, 4]])
def test_inputs_that_are_integers(scans, lengths) -> None:
    words = np.random.default_rng(0).integers(0, 5, (T, B))[:, :, None]

    class Words(Embedded):
        def forward(self, x, h):
            return super().forward(x[:, 0], h)

    scans.both_ways(Words().astype("float64"), words, lengths=lengths)


def test_an_integer_dtype_of_x_or_state_follows_the_same_promotion(scans) -> None:
    cell = made(scans)
    whole = np.rint(4 * X).astype(int)
    assert scans.both_ways(cell, whole)[0].dtype == np.float64
    with pytest.raises(TypeError, match="must return a state of the dtypes that it got"):
        nn.Recurrent(made(scans, "float32"))(whole)  # int64 @ float32 is float64, as NumPy has it
    scans.both_ways(cell, X, [tg.tensor(scans.some_state(cell)[0].astype("float32"))])
    scans.both_ways(cell, X, [tg.ones(B, H, dtype="int64")])


def test_a_state_of_whole_numbers_requires_no_gradient(scans) -> None:
    def step(cell, x, state):
        h, count = state
        return tg.tanh(x @ cell.w + h), count + 1

    def first(cell, batch):
        return cell.zeros(batch, 3), tg.zeros(batch, 1, dtype="int64")

    layer = nn.Recurrent(scans.StepCell(step, first, w=(2, 3)))
    outputs, [(h, count)] = layer(np.ones((4, 2, 2)))
    assert scans.is_scan(outputs) and h.requires_grad
    np.testing.assert_array_equal(count.numpy(), 4)
