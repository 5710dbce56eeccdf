"""Gated cells as their papers have them."""

from __future__ import annotations

import numpy as np

from . import exact, hard_sigmoid, paper, parts, relu, rows, sigmoid, softplus, tanh


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
    v_f, v_i, w = rows(p.weight_ih, 3)
    u_f, u_i = rows(p.weight_hh, 2)
    b_f, b_i = rows(p.bias_ih + p.bias_hh, 2)
    f = sigmoid(x @ v_f.T + h @ u_f.T + b_f)
    i = sigmoid(x @ v_i.T + h @ u_i.T + b_i)
    return f * tanh(h) + i * tanh(x @ w.T)


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


@paper("DSGUCell")
def dsgu(p, x, h, cell):
    w_g, w_z = rows(p.weight_ih, 2)
    b_g, b_z = rows(p.bias_ih, 2)
    u_g, u_z = rows(p.weight_hh, 2)
    x_g = x @ w_g.T + b_g
    z_g = tanh((x_g * h) @ u_g.T + p.bias_hh)
    z_out = sigmoid((z_g * h) @ p.weight_ho.T)
    z = hard_sigmoid(x @ w_z.T + h @ u_z.T + b_z)
    return (1 - z) * h + z * z_out


@paper("SGUCell")
def sgu(p, x, h, cell):
    w_g, w_z = rows(p.weight_ih, 2)
    b_g, b_z = rows(p.bias_ih, 2)
    u_g, u_z = rows(p.weight_hh, 2)
    x_g = x @ w_g.T + b_g
    z_g = tanh((x_g * h) @ u_g.T + p.bias_hh)
    z = hard_sigmoid(x @ w_z.T + h @ u_z.T + b_z)
    return (1 - z) * h + z * softplus(z_g * h)


@paper("LightRUCell")
def lightru(p, x, h, cell):
    w_n, w_f = rows(p.weight_ih, 2)
    b_n, b_f = rows(p.bias_ih, 2)
    f = sigmoid(x @ w_f.T + h @ p.weight_hh.T + b_f + p.bias_hh)
    return (1 - f) * h + f * tanh(x @ w_n.T + b_n)


@paper("LiGRUCell")
def ligru(p, x, h, cell):
    w_z, w_h = rows(p.weight_ih, 2)
    u_z, u_h = rows(p.weight_hh, 2)
    b_z, b_h = rows(p.bias_ih + p.bias_hh, 2)
    z = sigmoid(x @ w_z.T + h @ u_z.T + b_z)
    return z * h + (1 - z) * relu(x @ w_h.T + h @ u_h.T + b_h)


@paper("MiRU1Cell")
def miru1(p, x, h, cell):
    w_r, w_h = rows(p.weight_ih, 2)
    u_r, u_h = rows(p.weight_hh, 2)
    b_r, b_h = rows(p.bias_ih + p.bias_hh, 2)
    r = sigmoid(x @ w_r.T + h @ u_r.T + b_r)
    n = tanh(x @ w_h.T + (r * h) @ u_h.T + b_h)
    return cell.update_coefficient * h + (1 - exact(cell.update_coefficient)) * n


@paper("MiRU2Cell")
def miru2(p, x, h, cell):
    n = tanh(
        x @ p.weight_ih.T + (cell.reset_coefficient * h) @ p.weight_hh.T + p.bias_ih + p.bias_hh
    )
    return cell.update_coefficient * h + (1 - exact(cell.update_coefficient)) * n


@paper("MUT1Cell")
def mut1(p, x, h, cell):
    w_z, w_r = rows(p.weight_ih, 2)
    u_r, u_h = rows(p.weight_hh, 2)
    b_z, b_r, b_h = rows(p.bias_ih, 3)
    wide = x @ p.weight_proj.T  # the paper's x_t is as wide as h_t
    z = sigmoid(x @ w_z.T + b_z)
    r = sigmoid(x @ w_r.T + h @ u_r.T + b_r)
    return tanh((r * h) @ u_h.T + tanh(wide) + b_h) * z + h * (1 - z)


@paper("MUT2Cell")
def mut2(p, x, h, cell):
    w_z, w_h = rows(p.weight_ih, 2)
    u_z, u_r, u_h = rows(p.weight_hh, 3)
    b_z, b_r, b_h = rows(p.bias_ih, 3)
    wide = x @ p.weight_proj.T
    z = sigmoid(x @ w_z.T + h @ u_z.T + b_z)
    r = sigmoid(wide + h @ u_r.T + b_r)
    return tanh((r * h) @ u_h.T + x @ w_h.T + b_h) * z + h * (1 - z)


@paper("MUT3Cell")
def mut3(p, x, h, cell):
    w_z, w_r, w_h = rows(p.weight_ih, 3)
    u_z, u_r, u_h = rows(p.weight_hh, 3)
    b_z, b_r, b_h = rows(p.bias_ih, 3)
    z = sigmoid(x @ w_z.T + tanh(h) @ u_z.T + b_z)
    r = sigmoid(x @ w_r.T + h @ u_r.T + b_r)
    return tanh((r * h) @ u_h.T + x @ w_h.T + b_h) * z + h * (1 - z)


@paper("SGRNCell")
def sgrn(p, x, h, cell):
    wx = x @ p.weight_ih.T + p.bias_ih
    f = sigmoid(wx + h @ p.weight_hh.T + p.bias_hh)
    return tanh((1 - f) * wx + f * h)


@paper("tauGRUCell", delay=2)
def taugru(p, x, state, cell):
    h, past = state  # past: h_{t-d-1}, ..., h_{t-2}, along its second axis
    w_u, w_z, w_g, w_a = rows(p.weight_hh, 4)
    u_u, u_z, u_g, u_a = rows(p.weight_ih, 4)
    b_u, b_z, b_g, b_a = rows(p.bias_ih, 4)
    u = tanh(h @ w_u.T + x @ u_u.T + b_u)
    z = tanh(past[:, 0] @ w_z.T + x @ u_z.T + b_z)
    g = sigmoid(h @ w_g.T + x @ u_g.T + b_g)
    a = sigmoid(h @ w_a.T + x @ u_a.T + b_a)
    new = (1 - g) * h + g * (u + a * z)
    return new, np.concatenate([past[:, 1:], h[:, None]], axis=1)


@paper("IntersectionRNNCell", output=True)
def intersection(p, x, h, cell):
    x = x @ p.weight_proj.T  # the paper's x_t is as wide as h_t
    w = rows(p.weight_ih, 4)
    u = rows(p.weight_hh, 4)
    b = rows(p.bias_ih + p.bias_hh, 4)
    y_in, h_in, g_y, g_h = (x @ w[k].T + h @ u[k].T + b[k] for k in range(4))
    g_y, g_h = sigmoid(g_y), sigmoid(g_h)
    return g_y * x + (1 - g_y) * relu(y_in), g_h * h + (1 - g_h) * tanh(h_in)


@paper("SCRNCell", output=True)
def scrn(p, x, state, cell):
    h, s = state
    alpha = exact(cell.alpha)
    s = (1 - alpha) * (x @ p.weight_xs.T) + alpha * s
    h = sigmoid(s @ p.weight_sh.T + x @ p.weight_ih.T + h @ p.weight_hh.T)
    return h @ p.weight_hy.T + s @ p.weight_sy.T, (h, s)


@paper("RHNCell", depth=2)
def recurrent_highway(p, x, s, cell):
    for layer in range(2):
        both = s @ p.weight_hh[layer].T + p.bias_hh[layer]
        if layer == 0:
            both = both + x @ p.weight_ih.T
        h, t = tanh(parts(both, 2)[0]), sigmoid(parts(both, 2)[1])  # (7, 8)
        s = h * t + s * (1 - t)  # (6)
    return s
