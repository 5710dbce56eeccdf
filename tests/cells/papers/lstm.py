"""Relatives of the LSTM as their papers have them."""

from __future__ import annotations

from . import paper, parts, rows, sigmoid, tanh


@paper("JANETCell")
def janet(p, x, state, cell):
    h, c = state
    both = x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh
    s, n = parts(both, 2)
    c = sigmoid(s) * c + (1 - sigmoid(s - cell.beta)) * tanh(n)
    return c, c


@paper("PeepholeLSTMCell")
def peephole(p, x, state, cell):
    h, c = state
    both = x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh
    i, f, g, o = parts(both, 4)
    pi, pf, po = rows(p.weight_ph, 3)
    c = sigmoid(f + pf * c) * c + sigmoid(i + pi * c) * tanh(g)
    return sigmoid(o + po * c) * tanh(c), c
