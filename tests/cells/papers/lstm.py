"""Relatives of the LSTM as their papers have them."""

from __future__ import annotations

import numpy as np

from . import exp, layer_norm, paper, parts, relu, rows, sigmoid, softplus, tanh


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


@paper("sLSTMCell")
def slstm(p, x, state, cell):
    h, c, n, m = state
    z, i, f, o = parts(x @ p.weight_ih.T + h @ p.weight_hh.T + p.bias_ih, 4)
    c, n = c * exp(m), n * exp(m)  # what is stored is these times exp(-m)
    c = sigmoid(f) * c + exp(i) * tanh(z)  # (8)
    n = sigmoid(f) * n + exp(i)  # (9)
    log_f = -softplus(-f)
    m = np.where(log_f + m > i, log_f + m, i)  # (15)
    return sigmoid(o) * c / n, c * exp(-m), n * exp(-m), m  # (10)


@paper("LayerNormLSTMCell")
def layer_norm_lstm(p, x, state, cell):
    h, c = state
    gates = layer_norm(h @ p.weight_hh.T, p["norm_hh.weight"], p["norm_hh.bias"])
    gates = gates + layer_norm(x @ p.weight_ih.T, p["norm_ih.weight"], p["norm_ih.bias"])
    i, f, g, o = parts(gates + p.bias_ih, 4)  # (20)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)  # (21)
    return sigmoid(o) * tanh(layer_norm(c, p["norm_c.weight"], p["norm_c.bias"])), c  # (22)


@paper("ProjectedLSTMCell", projection_size=2)
def projected_lstm(p, x, state, cell):
    r, c = state
    i, f, g, o = parts(x @ p.weight_ih.T + p.bias_ih + r @ p.weight_hh.T + p.bias_hh, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return (sigmoid(o) * tanh(c)) @ p.weight_hr.T, c


@paper("MogrifierLSTMCell")
def mogrifier(p, x, state, cell):
    h, c = state
    for i in range(1, cell.rounds + 1):
        if i % 2:
            x = 2 * sigmoid(h @ p.weight_q[i // 2].T) * x  # (1)
        else:
            h = 2 * sigmoid(x @ p.weight_r[i // 2 - 1].T) * h  # (2)
    i, f, g, o = parts(x @ p.weight_ih.T + p.bias_ih + h @ p.weight_hh.T + p.bias_hh, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


@paper("HyperLSTMCell", hyper_size=2, embedding_size=2)
def hyper_lstm(p, x, state, cell):
    h, c, k, small_c = state
    z_h = parts(k @ p.weight_zh.T + p.bias_zh, 4)  # (11): k from before this step
    z_x = parts(k @ p.weight_zx.T + p.bias_zx, 4)
    z_b = parts(k @ p.weight_zb.T, 4)
    gates = []
    for y in range(4):  # (12)
        scaled = (z_h[y] @ p.scale_h[y].T) * (h @ rows(p.weight_hh, 4)[y].T)
        scaled = scaled + (z_x[y] @ p.scale_x[y].T) * (x @ rows(p.weight_ih, 4)[y].T)
        scaled = scaled + z_b[y] @ p.shift[y].T + p.bias[y]
        gates.append(layer_norm(scaled, p.norm_gain[y], p.norm_bias[y]))
    i, f, g, o = gates
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)  # (13)
    new = sigmoid(o) * tanh(layer_norm(c, p["norm_c.weight"], p["norm_c.bias"]))
    both = np.concatenate([h, x], axis=-1) @ p.hyper_weight_ih.T
    both = both + k @ p.hyper_weight_hh.T + p.hyper_bias
    i, f, g, o = (
        layer_norm(part, gain, bias)
        for part, gain, bias in zip(parts(both, 4), p.hyper_norm_gain, p.hyper_norm_bias)
    )
    small_c = sigmoid(f) * small_c + sigmoid(i) * tanh(g)  # (10)
    normed = layer_norm(small_c, p["hyper_norm_c.weight"], p["hyper_norm_c.bias"])
    return new, c, sigmoid(o) * tanh(normed), small_c


@paper("ConvLSTMCell", image_size=(2, 3))
def conv_lstm(p, x, state, cell):
    h, c = state

    def convolved(maps, weight):
        shown = np.zeros((len(maps), len(weight), 2, 3), dtype=object)
        for row in range(2):
            for column in range(3):
                for down in range(3):
                    for right in range(3):
                        y, z = row + down - 1, column + right - 1
                        if 0 <= y < 2 and 0 <= z < 3:
                            seen = maps[:, :, y, z] @ weight[:, :, down, right].T
                            shown[:, :, row, column] += seen
        return shown

    both = convolved(x, p.weight_ih) + convolved(h, p.weight_hh) + p.bias_ih[:, None, None]
    i, f, g, o = np.split(both, 4, axis=1)
    p_i, p_f, p_o = p.weight_ph
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g)  # (3)
    return sigmoid(o + p_o * c) * tanh(c), c
