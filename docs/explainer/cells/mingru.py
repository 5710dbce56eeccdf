import tinygrad_rnn as tg
from tinygrad_rnn import nn


class MinGRU(nn.Cell):
    """A GRU whose gate does not see h, so that all steps can run at once (Feng et al. 2024)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 2 * hidden_size)

    def forward(self, x, h):
        z, n = tg.split(self.W(x), 2, axis=-1)
        z = tg.sigmoid(z).named("update gate")  # 1: write anew
        n = n.named("candidate")
        return ((1 - z) * h + z * n).named("h")
