"""RNN against LSTM on the adding problem: who remembers, and what the gradient says about it.

A sequence holds random numbers, two of them marked; the answer is the sum of these two. The first
mark is in the first half, so the network has to carry a number over many steps. To learn that,
the gradient has to come back over as many steps. Hochreiter and Schmidhuber, "Long Short-Term
Memory", Neural Computation 9(8), 1997.

Both networks are trained alike; then a table shows how much of the gradient that leaves the last
step is left at each step before it.

    python examples/adding_problem.py
"""

from __future__ import annotations

import numpy as np
from tqdm import trange

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, viz
from tinygrad_rnn.data import adding_problem

STEPS, BATCH, HIDDEN, UPDATES = 30, 32, 32, 600


class Adder(nn.Module):
    """A cell over the sequence, and a linear layer on its last output."""

    def __init__(self, cell: nn.Cell) -> None:
        self.recurrent = nn.Recurrent(cell)
        self.readout = nn.Linear(HIDDEN, 1)

    def forward(self, x):
        outputs, _ = self.recurrent(x)
        return self.readout(outputs[-1])


def train(model: Adder, name: str) -> float:
    """The mean squared error over the last 50 updates."""
    rng = np.random.default_rng(0)
    parameters = list(model.parameters())
    optimizer = optim.Adam(parameters, lr=0.01)
    losses = []
    for _ in trange(UPDATES, desc=name, disable=None):
        x, y = adding_problem(STEPS, BATCH, rng)
        loss = nn.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-50:]))


def gradient_left(model: Adder, state_name: str) -> np.ndarray:
    """For each step, the norm of d loss / d state, divided by its norm at the last step."""
    x, y = adding_problem(STEPS, 256, np.random.default_rng(1))
    flow = viz.gradient_flow(model, x, lambda answers: nn.mse_loss(answers, y))
    (layer,) = flow.values()
    return layer[state_name] / layer[state_name][-1]


def bar(share: float) -> str:
    """Three characters for each factor of ten above 1e-8."""
    return "#" * max(0, round(3 * (8 + np.log10(share)))) if share > 0 else ""


def main() -> None:
    tg.manual_seed(0)
    rnn, lstm = nn.RNNCell(2, HIDDEN), nn.LSTMCell(2, HIDDEN)
    nn.init.forget_gate_bias_(lstm.bias_ih)  # a gate that starts open
    left, errors = {}, {}
    for name, cell, state_name in (("RNN", rnn, "h"), ("LSTM", lstm, "c")):
        model = Adder(cell)
        left[name, "before"] = gradient_left(model, state_name)
        errors[name] = train(model, name)
        left[name, "after"] = gradient_left(model, state_name)

    print(f"The gradient that is left at step t, of that at step {STEPS - 1}, after training:\n")
    print(f"   t   {'RNN, d loss / d h_t':38}LSTM, d loss / d c_t")
    for t in range(STEPS - 1, -1, -2):
        shares = [float(left[name, "after"][t]) for name in ("RNN", "LSTM")]
        line = "  ".join(f"{share:7.1e} {bar(share):28}" for share in shares)
        print(f"  {t:2}   {line}".rstrip())

    print(f"\n{'':6}{'mean squared error':>20}{'gradient left at step 0':>36}")
    print(f"{'':6}{'after training':>20}{'before training':>20}{'after':>16}")
    print(f"{'none':6}{1 / 6:20.4f}   (always answering 1)")
    for name, error in errors.items():
        shares = [left[name, when][0] for when in ("before", "after")]
        print(f"{name:6}{error:20.4f}{shares[0]:20.1e}{shares[1]:16.1e}")


if __name__ == "__main__":
    main()
