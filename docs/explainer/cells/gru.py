import tinygrad_rnn as tg
from tinygrad_rnn import nn


class GRU(nn.Cell):
    """Gated recurrent unit: one gate decides both what is kept and what is written."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 3 * hidden_size)
        self.U = nn.Linear(hidden_size, 3 * hidden_size)

    def forward(self, x, h):
        r_x, z_x, n_x = tg.split(self.W(x), 3, axis=-1)
        r_h, z_h, n_h = tg.split(self.U(h), 3, axis=-1)
        r = tg.sigmoid(r_x + r_h).named("reset gate")
        z = tg.sigmoid(z_x + z_h).named("update gate")  # 1: keep h as it is
        n = tg.tanh(n_x + r * n_h).named("candidate")
        return ((1 - z) * n + z * h).named("h")
