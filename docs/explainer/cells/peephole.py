import tinygrad_rnn as tg
from tinygrad_rnn import nn


class PeepholeLSTM(nn.Cell):
    """LSTM whose gates see the cell state too (Gers & Schmidhuber 2000)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 4 * hidden_size)
        self.U = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.p_f = nn.Parameter(tg.zeros(hidden_size))
        self.p_i = nn.Parameter(tg.zeros(hidden_size))
        self.p_o = nn.Parameter(tg.zeros(hidden_size))

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        h, c = state
        f, i, g, o = tg.split(self.W(x) + self.U(h), 4, axis=-1)
        f = tg.sigmoid(f + self.p_f * c).named("forget gate")
        i = tg.sigmoid(i + self.p_i * c).named("input gate")
        g = tg.tanh(g).named("candidate")
        c = (f * c + i * g).named("c")
        o = tg.sigmoid(o + self.p_o * c).named("output gate")
        h = (o * tg.tanh(c)).named("h")
        return h, c
