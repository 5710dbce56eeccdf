"""A cell of your own: the LSTM with peepholes, checked, trained and drawn.

In the plain LSTM the gates decide without seeing the cell state. With peephole connections (Gers
and Schmidhuber 2000, "Recurrent Nets that Time and Count") they look at it, through one weight
a unit:

    i = s(W_i x_t + U_i h_{t-1} + p_i c_{t-1} + b_i)
    f = s(W_f x_t + U_f h_{t-1} + p_f c_{t-1} + b_f)
    o = s(W_o x_t + U_o h_{t-1} + p_o c_t + b_o)

The class below is all there is to write. It says nothing of gradients, sequences or pictures.

    python examples/peephole_lstm.py
"""

from __future__ import annotations

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.data import load_names
from tinygrad_rnn.testing import check_cell
from tinygrad_rnn.training.names import Corpus, Settings, build, train_names


class PeepholeLSTMCell(nn.Cell):
    """LSTM whose gates also see the cell state (Gers & Schmidhuber 2000)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.from_x = nn.Linear(input_size, 4 * hidden_size)
        self.from_h = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.peepholes = nn.init.uniform_(nn.Parameter(np.zeros((3, hidden_size), "f4")), -0.1, 0.1)

    def initial_state(self, batch_size: int):
        return self.zeros(batch_size, self.hidden_size), self.zeros(batch_size, self.hidden_size)

    def forward(self, x, state):
        h, c = state
        p_i, p_f, p_o = self.peepholes
        i, f, g, o = tg.split(self.from_x(x) + self.from_h(h), 4, axis=-1)
        i = tg.sigmoid(i + p_i * c).named("input gate")
        f = tg.sigmoid(f + p_f * c).named("forget gate")
        c = (f * c + i * tg.tanh(g).named("candidate")).named("c")
        o = tg.sigmoid(o + p_o * c).named("output gate")
        return (o * tg.tanh(c)).named("h"), c


def check() -> None:
    """All laws of a cell: gradients against the complex step, padding, splitting, saving, ..."""
    print(check_cell(PeepholeLSTMCell))


def train() -> None:
    """Tell languages by surnames, as `tinygrad-rnn train` does, beside the built-in LSTM."""
    corpus = Corpus.of(load_names())
    settings = Settings(hidden_size=32, embedding_size=16, epochs=3, learning_rate=0.01)
    print(f"\n{len(corpus.train)} surnames of {len(corpus.classes)} languages to train on,", end="")
    print(f" {len(corpus.held_out)} held out\n")
    print("  cell                epoch   loss   held-out accuracy   seconds")
    for cell in (nn.LSTMCell, PeepholeLSTMCell):
        for row in train_names(build(cell, corpus, settings), corpus, settings):
            print(f"  {cell.__name__:18} {row['epoch']:6} {row['train_loss']:6.3f}", end="")
            print(f" {row['val_accuracy']:19.3f} {row['seconds']:9.1f}")


def draw() -> None:
    """The unrolled network, and how much gradient comes back along each of its edges."""
    layer = nn.Recurrent(PeepholeLSTMCell(2, 3))
    picture = viz.bptt(layer, tg.randn(4, 1, 2), level="gates", title="LSTM with peepholes")
    print(f"\nThe picture: {picture.save('peephole_lstm.svg')}")


def main() -> None:
    tg.manual_seed(0)
    check()
    train()
    draw()


if __name__ == "__main__":
    main()
