"""Cells with a memory as their papers have them."""

from __future__ import annotations

import numpy as np

from . import exp, layer_norm, mpmath, paper, parts, relu, rows, sigmoid, softplus


@paper("FastWeightsCell")
def fast_weights(p, x, state, cell):
    h, a = state
    a = mpmath.mpf(cell.decay) * a + mpmath.mpf(cell.rate) * h[:, :, None] * h[:, None, :]  # (1)
    slow = h @ p.weight_hh.T + x @ p.weight_ih.T

    def f(v):
        return relu(layer_norm(v, p["norm.weight"], p["norm.bias"]))

    inner = f(slow)
    for _ in range(cell.inner_steps):  # (2), with layer normalisation (5)
        inner = f(slow + np.array([m @ v for m, v in zip(a, inner)]))
    return inner, a


def log_gates(i, f, m):
    """The next stabiliser (15)."""
    log_f = -softplus(-f)
    return np.where(log_f + m > i, log_f + m, i)


@paper("mLSTMCell", output=True, hidden_size=4, heads=2)
def mlstm(p, x, state, cell):
    stored_c, stored_n, m = state
    q, k, v, o = parts(x @ p.weight_ih.T + p.bias_ih, 4)
    i, f = parts(x @ p.weight_gates.T + p.bias_gates, 2)
    shown, c, n = [], [], []
    after = log_gates(i, f, m)
    for b in range(len(x)):
        for head in range(2):
            d = slice(2 * head, 2 * head + 2)
            forget, write = sigmoid(f[b, head]), exp(i[b, head])
            key = k[b, d] / mpmath.sqrt(2)
            scale = mpmath.exp(m[b, head])  # what is stored is the paper's times exp(-m)
            one_c = forget * stored_c[b, head] * scale + write * np.outer(v[b, d], key)  # (19)
            one_n = forget * stored_n[b, head] * scale + write * key  # (20)
            read = one_c @ q[b, d] / max(abs(one_n @ q[b, d]), mpmath.mpf(1))  # (21)
            shown += list(sigmoid(o[b, d]) * read)
            c.append(one_c * mpmath.exp(-after[b, head]))
            n.append(one_n * mpmath.exp(-after[b, head]))
    c, n = np.reshape(c, stored_c.shape), np.reshape(n, stored_n.shape)
    return np.reshape(shown, o.shape), (c, n, after)


@paper("GatedDeltaNetCell", output=True, hidden_size=4, heads=2)
def gated_deltanet(p, x, state, cell):
    def silu(v):
        return v * sigmoid(v)

    def unit(v):
        return v / mpmath.sqrt((v * v).sum() + mpmath.mpf(1e-6))

    q, k, v = (silu(x @ w.T) for w in rows(p.weight_ih, 3))
    strength, a = (x @ w.T for w in rows(p.weight_gates, 2))
    shown, memories = [], []
    for b in range(len(x)):
        for head in range(2):
            d = slice(2 * head, 2 * head + 2)
            key, query = unit(k[b, d]), unit(q[b, d])
            beta = sigmoid(strength[b, head])
            alpha = exp(-exp(p.A_log[head]) * softplus(a[b, head] + p.bias_a[head]))
            turn = np.eye(2, dtype=int) - beta * np.outer(key, key)
            s = alpha * state[b, head] @ turn + beta * np.outer(v[b, d], key)  # (10)
            shown += list(s @ query)
            memories.append(s)
    return np.reshape(shown, (len(x), 4)), np.reshape(memories, state.shape)


@paper("RWKV4Cell", output=True)
def rwkv4(p, x, state, cell):
    before, a, b, largest = state
    r, k, v = (
        (mu * x + (1 - mu) * before) @ w.T
        for mu, w in zip(p.mix, rows(p.weight_ih, 3), strict=True)
    )
    a, b = a * exp(largest), b * exp(largest)  # what is stored is these times exp(-p)
    wkv = (a + exp(p.bonus + k) * v) / (b + exp(p.bonus + k))  # (14)
    w = exp(p.decay)
    a, b = exp(-w) * a + exp(k) * v, exp(-w) * b + exp(k)
    after = np.where(largest - w > k, largest - w, k)
    output = (sigmoid(r) * wkv) @ p.weight_o.T  # (15)
    return output, (x, a * exp(-after), b * exp(-after), after)
