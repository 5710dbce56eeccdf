"""Relatives of the LSTM as their papers have them."""

from __future__ import annotations

from . import paper, parts, relu, rows, sigmoid, tanh


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


@paper("MultiplicativeLSTMCell")
def multiplicative(p, x, state, cell):
    h, c = state
    w_m, w_i, w_f, w_h, w_o = rows(p.weight_ih, 5)
    u_i, u_f, u_h, u_o = rows(p.weight_mh, 4)
    b_i, b_f, b_h, b_o = rows(p.bias_ih, 4)
    m = (x @ w_m.T) * (h @ p.weight_hh.T)
    i = sigmoid(x @ w_i.T + m @ u_i.T + b_i)
    f = sigmoid(x @ w_f.T + m @ u_f.T + b_f)
    o = sigmoid(x @ w_o.T + m @ u_o.T + b_o)
    c = f * c + i * tanh(x @ w_h.T + m @ u_h.T + b_h)
    return tanh(c) * o, c


@paper("NASCell")
def nas(p, x, state, cell):
    h, c = state
    a = parts(x @ p.weight_ih.T + p.bias_ih, 8)
    b = parts(h @ p.weight_hh.T + p.bias_hh, 8)
    l1 = tanh(sigmoid(a[0] + b[0]) * relu(a[1] + b[1]))
    l2 = tanh(sigmoid(a[2] + b[2]) + relu(a[3] * b[3]))
    l3 = tanh(tanh(a[4] + b[4]) * sigmoid(a[5] + b[5]))
    l4 = sigmoid(tanh(a[6] + b[6]) + sigmoid(a[7] + b[7]))
    c = tanh(l1 + c) * l2
    return tanh(c * tanh(l3 + l4)), c


@paper("OriginalLSTMCell")
def original(p, x, state, cell):
    h, c = state
    both = x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh
    i, g, o = parts(both, 3)
    c = c + sigmoid(i) * (4 * sigmoid(g) - 2)  # A.1: g(x) = 4 / (1 + exp(-x)) - 2
    return sigmoid(o) * (2 * sigmoid(c) - 1), c  # h(x) = 2 / (1 + exp(-x)) - 1


@paper("ResLSTMCell")
def residual(p, x, state, cell):
    h, c = state
    w_i, w_f, w_g, w_o = rows(p.weight_ih, 4)
    u_i, u_f, u_g, u_o = rows(p.weight_hh, 4)
    b_i, b_f, b_g, b_o = rows(p.bias_ih + p.bias_hh, 4)
    p_i, p_f, p_o = rows(p.weight_ph, 3)
    i = sigmoid(x @ w_i.T + h @ u_i.T + p_i * c + b_i)
    f = sigmoid(x @ w_f.T + h @ u_f.T + p_f * c + b_f)
    c = f * c + i * tanh(x @ w_g.T + h @ u_g.T + b_g)
    o = sigmoid(x @ w_o.T + h @ u_o.T + p_o * c + b_o)
    m = tanh(c) @ p.weight_ch.T
    return o * (m + x @ p.weight_proj.T), c


@paper("WMCLSTMCell")
def working_memory(p, x, state, cell):
    h, c = state
    w_i, w_f, w_g, w_o = rows(p.weight_ih, 4)
    u_i, u_f, u_g, u_o = rows(p.weight_hh, 4)
    b_i, b_f, b_g, b_o = rows(p.bias_ih + p.bias_hh, 4)
    m_i, m_f, m_o = rows(p.weight_ch, 3)
    i = sigmoid(x @ w_i.T + h @ u_i.T + tanh(c @ m_i.T) + b_i)
    f = sigmoid(x @ w_f.T + h @ u_f.T + tanh(c @ m_f.T) + b_f)
    c = f * c + i * tanh(x @ w_g.T + h @ u_g.T + b_g)
    o = sigmoid(x @ w_o.T + h @ u_o.T + tanh(c @ m_o.T) + b_o)
    return o * tanh(c), c


@paper("MCLSTMCell", output=True)
def memory_controller(p, x, state, cell):
    v, c = state
    w = rows(p.weight_ih, 5)
    u = rows(p.weight_hh, 5)
    b = rows(p.bias_ih + p.bias_hh, 5)
    f, i, o, m, n = (x @ w[k].T + v @ u[k].T + b[k] for k in range(5))
    c = sigmoid(f) * c + sigmoid(i) * tanh(n)
    return sigmoid(o) * tanh(c), (sigmoid(m) * tanh(c), c)
