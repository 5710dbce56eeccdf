import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Janet(nn.Cell):
    """The forget gate, and nothing else (van der Westhuizen & Lasenby 2018)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 2 * hidden_size)
        self.U = nn.Linear(hidden_size, 2 * hidden_size, bias=False)

    def forward(self, x, h):
        s, n = tg.split(self.W(x) + self.U(h), 2, axis=-1)
        f = tg.sigmoid(s).named("forget gate")
        i = tg.sigmoid(1 - s).named("input gate")  # writes less than is forgotten
        n = tg.tanh(n).named("candidate")
        return (f * h + i * n).named("h")
