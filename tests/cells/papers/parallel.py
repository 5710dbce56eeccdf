"""Cells that are affine in their state as their papers have them."""

from __future__ import annotations

import numpy as np

from . import mpmath, paper, parts, rows, sigmoid, tanh


@paper("MinGRUCell")
def mingru(p, x, h, cell):
    z, n = parts(x @ p.weight_ih.T + p.bias_ih, 2)
    return (1 - sigmoid(z)) * h + sigmoid(z) * n


@paper("MinLSTMCell")
def minlstm(p, x, h, cell):
    f, i, n = parts(x @ p.weight_ih.T + p.bias_ih, 3)
    f, i = sigmoid(f), sigmoid(i)
    return f / (f + i) * h + i / (f + i) * n


@paper("TRNNCell")
def trnn(p, x, h, cell):
    w, v = rows(p.weight_ih, 2)
    f = sigmoid(x @ v.T + p.bias_ih)
    return f * h + (1 - f) * (x @ w.T)


@paper("TGRUCell")
def tgru(p, x, state, cell):
    h, before = state  # V x_{t-1}
    z, f, o = parts(before + x @ p.weight_ih.T + p.bias_ih, 3)
    return sigmoid(f) * h + z * tanh(o), x @ p.weight_hh.T


@paper("TLSTMCell", output=True)
def tlstm(p, x, state, cell):
    c, before = state  # V x_{t-1}
    z, f, o = parts(before + x @ p.weight_ih.T + p.bias_ih, 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * z
    return c * tanh(o), (c, x @ p.weight_hh.T)


@paper("QRNNCell", output=True, window=3)
def qrnn(p, x, state, cell):
    c, past = state
    seen = np.concatenate([past, x[:, None]], axis=1)
    gates = sum(seen[:, k] @ p.weight_ih[k].T for k in range(3)) + p.bias_ih  # (2)
    z, f, o = parts(gates, 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(z)  # (4)
    return sigmoid(o) * c, (c, seen[:, 1:])


@paper("SRUCell", output=True, highway_bias=-1.0)
def sru(p, x, c, cell):
    new, f, r, skip = parts(x @ p.weight_ih.T, 4)
    (b_f, b_r), (v_f, v_r) = parts(p.bias_ih, 2), parts(p.weight_ch, 2)
    f, r = sigmoid(f + v_f * c + b_f), sigmoid(r + v_r * c + b_r)  # (1, 3)
    c = f * c + (1 - f) * new  # (2)
    alpha = mpmath.sqrt(1 + 2 * mpmath.exp(-1))
    return r * c + (1 - r) * skip * alpha, c  # (4)
