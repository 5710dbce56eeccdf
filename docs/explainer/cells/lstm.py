import tinygrad_rnn as tg
from tinygrad_rnn import nn


class LSTM(nn.Cell):
    """Long short-term memory: the cell state c is a conveyor belt past all layers."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 4 * hidden_size)
        self.U = nn.Linear(hidden_size, 4 * hidden_size, bias=False)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        h, c = state
        f, i, g, o = tg.split(self.W(x) + self.U(h), 4, axis=-1)
        f = tg.sigmoid(f).named("forget gate")  # what to keep
        i = tg.sigmoid(i).named("input gate")  # what to write
        g = tg.tanh(g).named("candidate")  # what could be written
        o = tg.sigmoid(o).named("output gate")  # what to show
        c = (f * c + i * g).named("c")
        h = (o * tg.tanh(c)).named("h")
        return h, c
