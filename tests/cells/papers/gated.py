"""Gated cells as their papers have them."""

from __future__ import annotations

from . import paper, parts, rows, sigmoid, tanh


@paper("ATRCell")
def atr(p, x, h, cell):
    a, b = x @ p.weight_ih.T + p.bias_ih, h @ p.weight_hh.T + p.bias_hh
    return sigmoid(a + b) * a + sigmoid(a - b) * h


@paper("MGUCell")
def mgu(p, x, h, cell):
    wf, wn = rows(p.weight_ih, 2)
    uf, un = rows(p.weight_hh, 2)
    bf, bn = rows(p.bias_ih + p.bias_hh, 2)
    f = sigmoid(x @ wf.T + h @ uf.T + bf)
    return (1 - f) * h + f * tanh(x @ wn.T + (f * h) @ un.T + bn)


@paper("UGRNNCell")
def ugrnn(p, x, h, cell):
    both = x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh
    n, g = parts(both, 2)
    return sigmoid(g) * h + (1 - sigmoid(g)) * tanh(n)


@paper("MinimalRNNCell")
def minimal(p, x, h, cell):
    z = tanh(x @ p.weight_ih.T + p.bias_ih)
    u = sigmoid(h @ p.weight_hh.T + z @ p.weight_zh.T + p.bias_hh)
    return u * h + (1 - u) * z


@paper("CFNCell")
def cfn(p, x, h, cell):
    f, i, w = parts(x @ p.weight_ih.T + p.bias_ih, 3)
    uf, ui = parts(h @ p.weight_hh.T + p.bias_hh, 2)
    return sigmoid(f + uf) * tanh(h) + sigmoid(i + ui) * tanh(w)


@paper("STARCell")
def star(p, x, h, cell):
    z, k = parts(x @ p.weight_ih.T + p.bias_ih, 2)
    k = sigmoid(k + h @ p.weight_hh.T + p.bias_hh)
    return tanh((1 - k) * h + k * tanh(z))


@paper("RANCell")
def ran(p, x, state, cell):
    h, c = state
    n, i, f = parts(x @ p.weight_ih.T, 3)
    bi, bf = rows(p.bias_ih + p.bias_hh, 2)
    ui, uf = parts(h @ p.weight_hh.T, 2)
    c = sigmoid(i + ui + bi) * n + sigmoid(f + uf + bf) * c
    return tanh(c), c


@paper("BRCell")
def br(p, x, h, cell):
    a, c, n = parts(x @ p.weight_ih.T + p.bias_ih, 3)
    wa, wc = rows(p.weight_hh, 2)
    ba, bc = rows(p.bias_hh, 2)
    c = sigmoid(c + wc * h + bc)
    return c * h + (1 - c) * tanh(n + (1 + tanh(a + wa * h + ba)) * h)


@paper("NBRCell")
def nbr(p, x, h, cell):
    a, c, n = parts(x @ p.weight_ih.T + p.bias_ih, 3)
    wa, wc = parts(h @ p.weight_hh.T + p.bias_hh, 2)
    c = sigmoid(c + wc)
    return c * h + (1 - c) * tanh(n + (1 + tanh(a + wa)) * h)
