import tinygrad_rnn as tg
from tinygrad_rnn import nn


class CoupledLSTM(nn.Cell):
    """LSTM that writes just where it forgets: i = 1 - f (Greff et al. 2017)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 3 * hidden_size)
        self.U = nn.Linear(hidden_size, 3 * hidden_size, bias=False)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        h, c = state
        f, g, o = tg.split(self.W(x) + self.U(h), 3, axis=-1)
        f = tg.sigmoid(f).named("forget gate")
        g = tg.tanh(g).named("candidate")
        o = tg.sigmoid(o).named("output gate")
        c = (f * c + (1 - f) * g).named("c")
        h = (o * tg.tanh(c)).named("h")
        return h, c
