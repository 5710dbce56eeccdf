"""Backpropagation by hand, beside the engine's.

The smallest recurrent network there is, one unit and two steps:

    h1 = tanh(u h0 + x1)      h2 = tanh(u h1 + x2)      loss = (h2 - y)^2

First with pencil and paper: every derivative is one line of the chain rule. Then with Tensors,
which record the same lines and walk them backwards. The weight u is used twice, once a step, so
its two gradients add up: that is all of "backpropagation through time".

    python examples/backprop_by_hand.py
"""

from __future__ import annotations

from math import tanh

import tinygrad_rnn as tg
from tinygrad_rnn.graph import Graph

U, H0, X1, X2, Y = 0.8, 0.5, 0.3, -0.6, 0.25


def by_hand() -> list[tuple[str, str, float, str, float]]:
    """Rows (name, how it is computed, its value, how its gradient is computed, its gradient)."""
    # Forward: from top to bottom.
    a1 = U * H0 + X1
    h1 = tanh(a1)
    a2 = U * h1 + X2
    h2 = tanh(a2)
    e = h2 - Y
    loss = e * e

    # Backward: from bottom to top. d_v stands for d loss / d v.
    d_loss = 1.0
    d_e = d_loss * 2 * e
    d_h2 = d_e
    d_a2 = d_h2 * (1 - h2 * h2)
    d_h1 = d_a2 * U
    d_a1 = d_h1 * (1 - h1 * h1)
    d_u = d_a2 * h1 + d_a1 * H0

    return [
        ("u", "the weight", U, "d_a2 * h1 + d_a1 * h0", d_u),
        ("a1", "u * h0 + x1", a1, "d_h1 * (1 - h1^2)", d_a1),
        ("h1", "tanh(a1)", h1, "d_a2 * u", d_h1),
        ("a2", "u * h1 + x2", a2, "d_h2 * (1 - h2^2)", d_a2),
        ("h2", "tanh(a2)", h2, "d_e", d_h2),
        ("e", "h2 - y", e, "d_loss * 2 * e", d_e),
        ("loss", "e * e", loss, "1", d_loss),
    ]


def with_the_engine() -> dict[str, tg.Tensor]:
    """The same values as Tensors, each with its gradient in `grad`."""
    u = tg.tensor(U, dtype="float64", requires_grad=True)
    a1 = u * H0 + X1
    h1 = tg.tanh(a1)
    a2 = u * h1 + X2
    h2 = tg.tanh(a2)
    e = h2 - Y
    loss = e * e
    tensors = {"u": u, "a1": a1, "h1": h1, "a2": a2, "h2": h2, "e": e, "loss": loss}
    for name, tensor in tensors.items():
        tensor.named(name)
        tensor.retain_grad()  # else only leaves such as u keep theirs
    print("What the engine recorded:\n")
    print(Graph.of(loss), "\n")
    loss.backward()
    return tensors


def main() -> None:
    engine = with_the_engine()
    rows = by_hand()

    print("Forward, from top to bottom:\n")
    print(f"  {'':4} = {'by hand':22} {'value':>12} {'engine':>12}")
    for name, formula, value, _, _ in rows:
        print(f"  {name:4} = {formula:22} {value:12.8f} {engine[name].item():12.8f}")

    print("\nBackward, from bottom to top:\n")
    print(f"  {'':6} = {'by hand':22} {'gradient':>12} {'engine':>12}")
    for name, _, _, formula, gradient in reversed(rows):
        found = engine[name].grad.item()
        print(f"  d_{name:4} = {formula:22} {gradient:12.8f} {found:12.8f}")

    largest = max(abs(gradient - engine[name].grad.item()) for name, *_, gradient in rows)
    print(f"\nLargest difference between the two: {largest:.1e}")
    assert largest < 1e-15


if __name__ == "__main__":
    main()
