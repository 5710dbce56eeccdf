"""A plain RNN, forward and back through time, written out in NumPy.

x (T, B, I), h (B, H), outputs (T, B, H); `lengths` (B,): how many steps of each sequence are real.
"""

import numpy as np


def forward(x, state, weights, lengths):
    """The outputs, the final state, and what `backward` needs."""
    (h,) = state
    W_xh, W_hh, b = weights["W_xh"], weights["W_hh"], weights["b"]
    before, after, outputs = [], [], []
    for t in range(len(x)):
        new = np.tanh(x[t] @ W_xh.T + h @ W_hh.T + b)
        real = (t < lengths)[:, None]
        before.append(h)
        after.append(new)
        outputs.append(np.where(real, new, 0.0))
        h = np.where(real, new, h)
    return np.stack(outputs), (h,), (x, before, after)


def backward(d_outputs, d_state, saved, weights, lengths):
    """The gradients of x, of the initial state and of the weights."""
    x, before, after = saved
    (d_h,) = d_state
    d_x = np.zeros_like(x)
    d_weights = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for t in reversed(range(len(x))):
        real = (t < lengths)[:, None]
        d_new = np.where(real, d_h + d_outputs[t], 0.0)
        d_a = d_new * (1.0 - after[t] ** 2)
        d_weights["W_xh"] += d_a.T @ x[t]
        d_weights["W_hh"] += d_a.T @ before[t]
        d_weights["b"] += d_a.sum(axis=0)
        d_x[t] = d_a @ weights["W_xh"]
        d_h = np.where(real, d_a @ weights["W_hh"], d_h)
    return d_x, (d_h,), d_weights
