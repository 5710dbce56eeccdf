"""Random cells: a step that runs a drawn list of ops. Loaded by tests with `runpy.run_path`."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn

WIDTH = 4  # every value of a program is (B, WIDTH); ops of other shapes come back to it


@tg.op
def wave(x, y):
    """A user's op of two inputs without a lift rule."""
    return np.sin(x) * y


wave.vjp(
    x=lambda grad, out, x, y: grad * np.cos(x) * y,
    y=lambda grad, out, x, y: grad * np.sin(x),
)


@tg.op
def parted(x):
    """A user's op of two outputs without a lift rule."""
    return np.tanh(x), x * 0.5


parted.vjp(lambda grad, out, x: grad[0] * (1.0 - out[0] ** 2) + 0.5 * grad[1])


def attention(x: Any) -> Any:
    scores = tg.einsum("bi,bj->bij", x, x)
    return (tg.softmax(scores, axis=-1) @ x[:, :, None])[:, :, 0]


UNARY = {
    "tanh": tg.tanh,
    "sigmoid": tg.sigmoid,
    "sin": np.sin,
    "negative": lambda x: -x,
    "third": lambda x: x / 3.0,
    "shifted": lambda x: 1.0 - x,
    "scaled": lambda x: 0.7 * x - 0.2,
    "square": lambda x: tg.tanh(x**2),
    "relu": lambda x: tg.relu(x) - 0.1 * tg.relu(-x),
    "softplus": tg.softplus,
    "gelu": tg.gelu,
    "softmax": lambda x: tg.softmax(x, axis=-1),
    "norm": lambda x: nn.functional.layer_norm(x, x.shape[-1:], eps=1.0),
    "mean": lambda x: x - x.mean(axis=-1, keepdims=True),
    "max": lambda x: x - np.max(x, axis=-1, keepdims=True),
    "logsumexp": lambda x: x - tg.logsumexp(x, axis=-1, keepdims=True),
    "cumsum": lambda x: tg.cumsum(x, axis=-1) * 0.5,
    "flip": lambda x: tg.flip(x, axis=-1),
    "rolled": lambda x: tg.concatenate([x[:, 1:], x[:, :1]], axis=-1),
    "doubled": lambda x: tg.concatenate([x, x], axis=-1)[:, 2:6],
    "halved": lambda x: tg.concatenate(tg.split(x, 2, axis=-1)[::-1], axis=-1),
    "gates": lambda x: gates(*tg.split(x, 4, axis=-1)),
    "folded": lambda x: tg.reshape(np.swapaxes(tg.reshape(x, (-1, 2, 2)), 1, 2), (-1, WIDTH)),
    "picked": lambda x: x[:, [3, 0, 0, 1]],
    "first": lambda x: tg.index_update(x, (slice(None), 1), 0.5),
    "added": lambda x: tg.index_add(x, (slice(None), slice(1, 3)), x[:, :2]),
    "largest": lambda x: x * (tg.argmax(x, axis=-1) % 2 + 0.5)[:, None],
    "padded": lambda x: tg.pad(x[:, 1:3], ((0, 0), (1, 1))),
    "attention": attention,
    "parted": lambda x: parted(x)[0] - parted(x)[1],
    "one part": lambda x: parted(x)[1],
    "dropout": lambda x: nn.functional.dropout(x, 0.3),
    "noise": lambda x: x + 0.1 * tg.rand_like(x),
    "stopped": lambda x: x + tg.sign(x) * 0.1,
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (1.5 + tg.tanh(y)),
    "maximum": tg.maximum,
    "where": lambda x, y: tg.where(x > 0.1, x, y),
    "gated": lambda x, y: tg.sigmoid(x) * y + (1 - tg.sigmoid(x)) * x,
    "row": lambda x, y: x * y[:, :1] + y[:, -1:],
    "wave": wave,
    "einsum": lambda x, y: tg.einsum("bi,bj->bj", x, y),
    "stack": lambda x, y: tg.stack([x, y], axis=-1).sum(axis=-1),
    "along": lambda x, y: tg.take_along_axis(x, np.argmax(y, axis=-1)[:, None], axis=-1) + y,
}


def gates(i, f, g, o):
    i, f, g, o = tg.sigmoid(i), tg.sigmoid(f), tg.tanh(g), tg.sigmoid(o)
    return tg.concatenate([i * g, f * 2.0, f + g, o * 1.0], axis=-1)


class Program(nn.Cell):
    """A step that runs a list of instructions on a growing list of values.

    The values at the start: the input, the state's leaves, two vectors and a product of each of
    the first with a matrix. The next state and the output are bounded picks from the list.
    """

    input_size = WIDTH

    def __init__(self, leaves: int, lines: list[tuple], picks: list[int], shown: int | None):
        self.leaves, self.lines, self.picks, self.shown = leaves, lines, picks, shown
        rng = np.random.default_rng(len(lines))
        self.matrix = nn.Parameter(0.5 * rng.standard_normal((WIDTH, WIDTH)), "float64")
        self.other = nn.Parameter(0.5 * rng.standard_normal((WIDTH, WIDTH)), "float64")
        self.vector = nn.Parameter(rng.standard_normal(WIDTH), "float64")
        self.row = nn.Parameter(rng.standard_normal((1, WIDTH)), "float64")

    def initial_state(self, batch_size):
        return tuple(self.zeros(batch_size, WIDTH) for _ in range(self.leaves))

    def step(self, x, state):
        values = [x, *state, self.vector + 0.0 * x, self.row * tg.ones_like(x)]
        for name, *places in self.lines:
            chosen = [values[place % len(values)] for place in places]
            if name in UNARY:
                values.append(UNARY[name](chosen[0]))
            elif name in BINARY:
                values.append(BINARY[name](*chosen))
            else:
                values.append(chosen[0] @ getattr(self, name))
        picked = [values[-1 - place % len(values)] for place in self.picks]
        new = tuple(p if p is s else tg.tanh(p) for p, s in zip(picked, state))
        shown = new[0] if self.shown is None else UNARY[ROWS[self.shown % len(ROWS)]](new[-1])
        return shown, new


ROWS = ["scaled", "softmax", "rolled", "gates", "parted", "doubled", "noise"]


@st.composite
def programs(draw):
    leaves = draw(st.integers(1, 3))
    place = st.integers(0, 11)
    names = st.sampled_from([*UNARY, *BINARY, *["matrix", "other"] * 6])
    lines = draw(st.lists(st.tuples(names, place, place), min_size=1, max_size=9))
    picks = draw(st.lists(place, min_size=leaves, max_size=leaves))
    return Program(leaves, lines, picks, draw(st.none() | place))
