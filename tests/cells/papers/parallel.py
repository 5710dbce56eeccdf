"""Cells that are affine in their state as their papers have them."""

from __future__ import annotations

from . import paper, parts, rows, sigmoid, tanh


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
