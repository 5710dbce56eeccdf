import tinygrad_rnn as tg
from tinygrad_rnn import nn


class AntisymmetricRNN(nn.Cell):
    """A small step of a system that neither grows nor decays (Chang et al. 2019)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, hidden_size)
        self.U = nn.Parameter(tg.randn(hidden_size, hidden_size) * hidden_size**-0.5)
        self.step_size, self.friction = 0.1, 0.01

    def forward(self, x, h):
        turn = h @ (self.U - self.U.T) - self.friction * h
        change = tg.tanh(self.W(x) + turn).named("change")
        return (h + self.step_size * change).named("h")
