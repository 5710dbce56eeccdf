import tinygrad_rnn as tg
from tinygrad_rnn import nn


class UpdateGateRNN(nn.Cell):
    """A plain RNN behind one gate (Collins, Sohl-Dickstein & Sussillo 2017)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 2 * hidden_size)
        self.U = nn.Linear(hidden_size, 2 * hidden_size, bias=False)

    def forward(self, x, h):
        g, n = tg.split(self.W(x) + self.U(h), 2, axis=-1)
        g = tg.sigmoid(g).named("update gate")  # 1: keep h as it is
        n = tg.tanh(n).named("candidate")
        return (g * h + (1 - g) * n).named("h")
