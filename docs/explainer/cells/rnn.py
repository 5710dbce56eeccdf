import tinygrad_rnn as tg
from tinygrad_rnn import nn


class RNN(nn.Cell):
    """The plain recurrent network: h_t = tanh(W x_t + U h_{t-1} + b)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, hidden_size)
        self.U = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, h):
        return tg.tanh(self.W(x) + self.U(h)).named("h")
