"""An LSTM, forward and back through time, written out in NumPy.

x (T, B, I), h and c (B, H), outputs (T, B, H); `lengths` (B,): how many steps of each sequence are
real. W (4 H, I), U (4 H, H) and b (4 H,) hold the gates stacked in the order i, f, g, o.
"""

import numpy as np


def sigmoid(a):
    """1 / (1 + exp(-a)), without overflow."""
    return 0.5 * np.tanh(0.5 * a) + 0.5


def forward(x, state, weights, lengths):
    """The outputs, the final state, and what `backward` needs."""
    h, c = state
    steps, outputs = [], []
    for t in range(len(x)):
        a = x[t] @ weights["W"].T + h @ weights["U"].T + weights["b"]
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new_c = f * c + i * g
        new_h = o * np.tanh(new_c)
        steps.append((h, c, i, f, g, o, new_c))
        real = (t < lengths)[:, None]
        outputs.append(np.where(real, new_h, 0.0))
        h, c = np.where(real, new_h, h), np.where(real, new_c, c)
    return np.stack(outputs), (h, c), (x, steps)


def backward(d_outputs, d_state, saved, weights, lengths):
    """The gradients of x, of the initial state and of the weights."""
    x, steps = saved
    d_h, d_c = d_state
    d_x = np.zeros_like(x)
    d_weights = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for t in reversed(range(len(x))):
        h, c, i, f, g, o, new_c = steps[t]
        real = (t < lengths)[:, None]
        d_new_h = np.where(real, d_h + d_outputs[t], 0.0)
        d_new_c = np.where(real, d_c, 0.0)
        d_o = d_new_h * np.tanh(new_c)
        d_new_c = d_new_c + d_new_h * o * (1.0 - np.tanh(new_c) ** 2)
        d_i = d_new_c * g
        d_f = d_new_c * c
        d_g = d_new_c * i
        slopes = [d_i * i * (1.0 - i), d_f * f * (1.0 - f)]
        slopes += [d_g * (1.0 - g**2), d_o * o * (1.0 - o)]
        d_a = np.concatenate(slopes, axis=1)
        d_weights["W"] += d_a.T @ x[t]
        d_weights["U"] += d_a.T @ h
        d_weights["b"] += d_a.sum(axis=0)
        d_x[t] = d_a @ weights["W"]
        d_h = np.where(real, d_a @ weights["U"], d_h)
        d_c = np.where(real, d_new_c * f, d_c)
    return d_x, (d_h, d_c), d_weights
