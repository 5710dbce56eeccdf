"""Cells that are affine in their state as their papers have them."""

from __future__ import annotations

from . import paper, parts, sigmoid


@paper("MinGRUCell")
def mingru(p, x, h, cell):
    z, n = parts(x @ p.weight_ih.T + p.bias_ih, 2)
    return (1 - sigmoid(z)) * h + sigmoid(z) * n


@paper("MinLSTMCell")
def minlstm(p, x, h, cell):
    f, i, n = parts(x @ p.weight_ih.T + p.bias_ih, 3)
    f, i = sigmoid(f), sigmoid(i)
    return f / (f + i) * h + i / (f + i) * n
