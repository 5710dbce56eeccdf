"""An op of your own: declared, checked, differentiated twice, and used in a recurrent cell.

The inverse square root unit (Carlile et al. 2017, "Improving Deep Learning by Inverse Square Root
Linear Units") is a bounded S-shaped function, like tanh, without an exponential:

    isru(x) = x / sqrt(1 + alpha x^2)

    python examples/own_op.py
"""

from __future__ import annotations

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import adding_problem
from tinygrad_rnn.testing import gradcheck, gradgradcheck


@tg.op(elementwise=True)
def isru(x, *, alpha=1.0):
    """x / sqrt(1 + alpha x^2)."""
    return x / np.sqrt(1.0 + alpha * x * x)


@isru.vjp
def _(grad, out, x, alpha):
    return grad / np.sqrt(1.0 + alpha * x * x) ** 3


class Cell(nn.Cell):
    """The plain recurrent cell, its activation chosen: h_t = f(W [x_t, h_{t-1}] + b)."""

    def __init__(self, input_size: int, hidden_size: int, activation=isru) -> None:
        self.hidden_size = hidden_size
        self.activation = activation
        self.linear = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: tg.Tensor, state: tg.Tensor) -> tg.Tensor:
        return self.activation(self.linear(tg.concatenate([x, state], axis=-1))).named("h")


def check() -> None:
    """Is the gradient rule right? And the gradient of the gradient, which nobody wrote?"""
    x = np.linspace(-3.0, 3.0, 7)
    first = gradcheck(lambda x: isru(x, alpha=0.5), [x])
    second = gradgradcheck(lambda x: isru(x, alpha=0.5), [x])
    print(f"gradcheck: {first.checked} derivatives right; ", end="")
    print(f"gradgradcheck: {second.checked} second derivatives right\n")


def draw() -> None:
    """The function and its first two derivatives, as far as the rule above carries them."""
    x = tg.tensor(np.linspace(-3.0, 3.0, 25), requires_grad=True)
    y = isru(x)
    (slope,) = tg.grad(y.sum(), x, create_graph=True)
    (bend,) = tg.grad(slope.sum(), x)
    print("     x    isru   slope    bend   -1                 0                 1")
    for values in zip(x.tolist(), y.tolist(), slope.tolist(), bend.tolist(), strict=True):
        line = [" "] * 37
        line[18] = "."
        for symbol, value in zip("bsi", reversed(values[1:]), strict=True):
            line[round(18 + 18 * value)] = symbol
        print("{:6.2f}  {:6.3f}  {:6.3f}  {:6.3f}   ".format(*values) + "".join(line).rstrip())
    print("   i: isru, s: its slope, b: its bend\n")


def train(activation, steps: int = 10, updates: int = 500) -> float:
    """The mean squared error on the adding problem at the end of a short training."""
    tg.manual_seed(0)
    rng = np.random.default_rng(0)
    recurrent, readout = nn.Recurrent(Cell(2, 32, activation)), nn.Linear(32, 1)
    parameters = [*recurrent.parameters(), *readout.parameters()]
    optimizer = optim.Adam(parameters, lr=1e-2)
    losses = []
    for _ in range(updates):
        x, y = adding_problem(steps, 64, rng)
        outputs, _ = recurrent(x)
        loss = nn.mse_loss(readout(outputs[-1]), y)
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-50:]))


def main() -> None:
    check()
    draw()
    print("In a recurrent cell, on the adding problem of 10 steps (always answering 1: 0.167):\n")
    print("  activation   mean squared error")
    for activation in (isru, tg.tanh, tg.relu):
        print(f"  {activation.name:10}   {train(activation):.4f}")


if __name__ == "__main__":
    main()
