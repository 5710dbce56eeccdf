import tinygrad_rnn as tg
from tinygrad_rnn import nn


class IdentityRNN(nn.Cell):
    """Plain, with relu, and started at the identity (Le, Jaitly & Hinton 2015)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, hidden_size)
        self.U = nn.Parameter(tg.eye(hidden_size))

    def forward(self, x, h):
        return tg.relu(self.W(x) + h @ self.U).named("h")
