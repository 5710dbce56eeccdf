import tinygrad_rnn as tg
from tinygrad_rnn import nn


class RecurrentAdditive(nn.Cell):
    """LSTM without any recurrent layer in what is written (Lee, Levy & Zettlemoyer 2017)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.V = nn.Linear(input_size, hidden_size)
        self.W = nn.Linear(input_size, 2 * hidden_size)
        self.U = nn.Linear(hidden_size, 2 * hidden_size, bias=False)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        h, c = state
        i, f = tg.split(self.W(x) + self.U(h), 2, axis=-1)
        f = tg.sigmoid(f).named("forget gate")
        i = tg.sigmoid(i).named("input gate")
        c = (f * c + i * self.V(x)).named("c")
        h = tg.tanh(c).named("h")
        return h, c
