"""A GRU, forward and back through time, written out in NumPy.

x (T, B, I), h (B, H), outputs (T, B, H); `lengths` (B,): how many steps of each sequence are real.
W (3 H, I), U (3 H, H), b and b_h (3 H,) hold the gates stacked in the order r, z, n.
"""

import numpy as np


def sigmoid(a):
    """1 / (1 + exp(-a)), without overflow."""
    return 0.5 * np.tanh(0.5 * a) + 0.5


def forward(x, state, weights, lengths):
    """The outputs, the final state, and what `backward` needs."""
    (h,) = state
    steps, outputs = [], []
    for t in range(len(x)):
        x_r, x_z, x_n = np.split(x[t] @ weights["W"].T + weights["b"], 3, axis=1)
        h_r, h_z, h_n = np.split(h @ weights["U"].T + weights["b_h"], 3, axis=1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        new = (1.0 - z) * n + z * h
        steps.append((h, h_n, r, z, n))
        real = (t < lengths)[:, None]
        outputs.append(np.where(real, new, 0.0))
        h = np.where(real, new, h)
    return np.stack(outputs), (h,), (x, steps)


def backward(d_outputs, d_state, saved, weights, lengths):
    """The gradients of x, of the initial state and of the weights."""
    x, steps = saved
    (d_h,) = d_state
    d_x = np.zeros_like(x)
    d_weights = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for t in reversed(range(len(x))):
        h, h_n, r, z, n = steps[t]
        real = (t < lengths)[:, None]
        d_new = np.where(real, d_h + d_outputs[t], 0.0)
        d_n = d_new * (1.0 - z) * (1.0 - n**2)
        d_z = d_new * (h - n) * z * (1.0 - z)
        d_r = d_n * h_n * r * (1.0 - r)
        d_x_part = np.concatenate([d_r, d_z, d_n], axis=1)
        d_h_part = np.concatenate([d_r, d_z, d_n * r], axis=1)
        d_weights["W"] += d_x_part.T @ x[t]
        d_weights["U"] += d_h_part.T @ h
        d_weights["b"] += d_x_part.sum(axis=0)
        d_weights["b_h"] += d_h_part.sum(axis=0)
        d_x[t] = d_x_part @ weights["W"]
        d_h = np.where(real, d_h_part @ weights["U"] + d_new * z, d_h)
    return d_x, (d_h,), d_weights
