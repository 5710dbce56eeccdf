import tinygrad_rnn as tg
from tinygrad_rnn import nn


class MinimalGated(nn.Cell):
    """One gate is enough (Zhou et al. 2016)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W_f = nn.Linear(input_size, hidden_size)
        self.U_f = nn.Linear(hidden_size, hidden_size, bias=False)
        self.W_n = nn.Linear(input_size, hidden_size)
        self.U_n = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, h):
        f = tg.sigmoid(self.W_f(x) + self.U_f(h)).named("forget gate")  # 1: write anew
        n = tg.tanh(self.W_n(x) + self.U_n(f * h)).named("candidate")
        return ((1 - f) * h + f * n).named("h")
