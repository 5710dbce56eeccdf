import tinygrad_rnn as tg
from tinygrad_rnn import nn


class IndependentRNN(nn.Cell):
    """Each unit sees only its own past (Li et al. 2018)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, hidden_size)
        self.u = nn.Parameter(tg.ones(hidden_size))

    def forward(self, x, h):
        return tg.relu(self.W(x) + self.u * h).named("h")
