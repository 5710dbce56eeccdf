"""Cells that know the time, as their papers have them."""

from __future__ import annotations

import numpy as np

from . import exact, exp, mpmath, paper, parts, relu, rows, sigmoid, softplus, tanh


@paper("ClockworkRNNCell", periods=(1, 2, 3))
def clockwork(p, x, state, cell):
    h, t = state
    period = np.array([1, 2, 3])
    sees = period[:, None] <= period[None, :]  # a unit sees those at least as slow as itself
    new = tanh(x @ p.weight_ih.T + h @ (p.weight_hh * sees).T + p.bias_ih)  # (1)
    return np.where(t % period == 0, new, h), t + 1


@paper("PhasedLSTMCell", output=True, hidden_size=6)
def phased_lstm(p, x, state, cell, dt):
    h, c, t = state
    i, f, g, o = parts(x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh, 4)
    p_i, p_f, p_o = parts(p.weight_ph, 3)
    proposed = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g)
    o = sigmoid(o + p_o * proposed)
    t = t + dt
    period, r = abs(p.period), abs(p.open)
    turns = (t - p.shift) / period
    phase = turns - np.vectorize(mpmath.floor, otypes=[object])(turns)  # (6)
    falls = np.where(phase < r, 2 - 2 * phase / r, mpmath.mpf(cell.leak) * phase)
    k = np.where(phase < r / 2, 2 * phase / r, falls)
    c = k * proposed + (1 - k) * c  # (8)
    h = k * (o * tanh(proposed)) + (1 - k) * h  # (10)
    return h, (h, c, t)


@paper("CfCCell", output=True, backbone_size=4)
def cfc(p, x, h, cell, dt):
    z = np.concatenate([x, h], axis=-1) @ p.weight_z.T + p.bias_z
    z = mpmath.mpf(1.7159) * tanh(mpmath.mpf(0.666) * z)
    g, n, a, b = parts(z @ p.weight_ih.T + p.bias_ih, 4)
    kept = sigmoid(-(a * dt + b))  # (10), with f dt as the authors compute it
    h = kept * tanh(g) + (1 - kept) * tanh(n)
    return h, h


@paper("LTCCell", output=True, unfolds=2)
def ltc(p, x, v, cell, dt):
    cm, gleak = softplus(p.cm), softplus(p.gleak)

    def fused_step(v, dt):  # algorithm 1: (v + dt f A) / (1 + dt (1 / tau + f))
        after = np.empty_like(v)
        for b in range(v.shape[0]):
            for j in range(v.shape[1]):
                f = softplus(p.w[:, j]) * sigmoid(p.sigma[:, j] * (v[b] - p.mu[:, j]))
                f_x = softplus(p.sensory_w[:, j]) * sigmoid(
                    p.sensory_sigma[:, j] * (x[b] - p.sensory_mu[:, j])
                )
                target = (f @ p.erev[:, j] + f_x @ p.sensory_erev[:, j]) / cm[j]
                target += p.vleak[j] * gleak[j] / cm[j]
                speed = gleak[j] / cm[j] + (f.sum() + f_x.sum()) / cm[j]
                after[b, j] = (v[b, j] + dt[b, 0] * target) / (1 + dt[b, 0] * speed)
        return after

    for _ in range(2):
        v = fused_step(v, dt / 2)
    return v, v


@paper("GRUDCell", output=True)
def gru_d(p, x, state, cell, mask, dt):
    h, last, since = state  # since: zero again where the step before saw the feature
    since = since + dt  # (2)
    gamma_x = exp(-relu(p.decay_x * since + p.bias_decay_x))  # (10)
    gamma_h = exp(-relu(since @ p.decay_h.T + p.bias_decay_h))
    mean = exact(cell.mean.data)
    last_or_now = mask * x + (1 - mask) * last
    x = mask * x + (1 - mask) * (gamma_x * last + (1 - gamma_x) * mean)  # (11)
    h = gamma_h * h  # (12)
    w, u, v, b = (
        rows(p.weight_ih, 3),
        rows(p.weight_hh, 3),
        rows(p.weight_mh, 3),
        parts(p.bias_ih, 3),
    )
    r = sigmoid(x @ w[0].T + h @ u[0].T + mask @ v[0].T + b[0])  # (13)
    z = sigmoid(x @ w[1].T + h @ u[1].T + mask @ v[1].T + b[1])  # (14)
    n = tanh(x @ w[2].T + (r * h) @ u[2].T + mask @ v[2].T + b[2])  # (15)
    h = (1 - z) * h + z * n  # (16)
    return h, (h, last_or_now, (1 - mask) * since)
