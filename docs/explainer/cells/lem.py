import tinygrad_rnn as tg
from tinygrad_rnn import nn


class LongExpressive(nn.Cell):
    """Two states with time steps that are learnt (Rusch et al. 2022)."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.W = nn.Linear(input_size, 4 * hidden_size)
        self.U = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.U_y = nn.Linear(hidden_size, hidden_size, bias=False)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        y, z = state
        x_1, x_2, x_z, x_y = tg.split(self.W(x), 4, axis=-1)
        y_1, y_2, y_z = tg.split(self.U(y), 3, axis=-1)
        step_z = tg.sigmoid(x_1 + y_1).named("time step of z")
        step_y = tg.sigmoid(x_2 + y_2).named("time step of y")
        z = ((1 - step_z) * z + step_z * tg.tanh(x_z + y_z)).named("z")
        y = ((1 - step_y) * y + step_y * tg.tanh(x_y + self.U_y(z))).named("y")
        return y, z
