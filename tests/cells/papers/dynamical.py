"""Cells from dynamical systems as their papers have them."""

from __future__ import annotations

import numpy as np

from . import mpmath, paper, parts, relu, rows, sigmoid, tanh


@paper("IndRNNCell")
def indrnn(p, x, h, cell):
    return relu(x @ p.weight_ih.T + p.weight_hh * h + p.bias_ih)


@paper("IdentityRNNCell")
def identity(p, x, h, cell):
    return relu(x @ p.weight_ih.T + h @ p.weight_hh.T + p.bias_ih)


@paper("AntisymmetricRNNCell")
def antisymmetric(p, x, h, cell):
    a = p.weight_hh - p.weight_hh.T - cell.gamma * np.eye(len(p.weight_hh))
    return h + cell.epsilon * tanh(h @ a.T + x @ p.weight_ih.T + p.bias_ih)


@paper("GatedAntisymmetricRNNCell")
def gated_antisymmetric(p, x, h, cell):
    a = p.weight_hh - p.weight_hh.T - cell.gamma * np.eye(len(p.weight_hh))
    z, v = parts(x @ p.weight_ih.T + p.bias_ih, 2)
    return h + cell.epsilon * sigmoid(h @ a.T + z) * tanh(h @ a.T + v)


@paper("FastRNNCell")
def fastrnn(p, x, h, cell):
    n = tanh(x @ p.weight_ih.T + h @ p.weight_hh.T + p.bias_ih)
    return sigmoid(p.alpha) * n + sigmoid(p.beta) * h


@paper("FastGRNNCell")
def fastgrnn(p, x, h, cell):
    both = x @ p.weight_ih.T + h @ p.weight_hh.T
    bz, bh = rows(p.bias_ih, 2)
    z = sigmoid(both + bz)
    return (sigmoid(p.zeta) * (1 - z) + sigmoid(p.nu)) * tanh(both + bh) + z * h


@paper("coRNNCell")
def cornn(p, x, state, cell):
    y, z = state
    drive = y @ p.weight_hh.T + z @ p.weight_ch.T + x @ p.weight_ih.T + p.bias_ih
    z = z + cell.dt * (tanh(drive) - cell.gamma * y - cell.epsilon * z)
    return y + cell.dt * z, z


@paper("UnICORNNCell")
def unicornn(p, x, state, cell):
    y, z = state
    scale = cell.dt * sigmoid(p.weight_ch)
    drive = p.weight_hh * y + x @ p.weight_ih.T + p.bias_ih
    z = z - scale * (tanh(drive) + cell.alpha * y)
    return y + scale * z, z


@paper("LEMCell")
def lem(p, x, state, cell):
    y, z = state
    x1, x2, xz, xy = parts(x @ p.weight_ih.T + p.bias_ih, 4)
    y1, y2, yz = parts(y @ p.weight_hh.T, 3)
    d, e = cell.dt * sigmoid(x1 + y1), cell.dt * sigmoid(x2 + y2)
    z = (1 - d) * z + d * tanh(xz + yz)
    return (1 - e) * y + e * tanh(xy + z @ p.weight_ch.T), z


@paper("LipschitzRNNCell")
def lipschitz(p, x, h, cell):
    beta, gamma, epsilon = (mpmath.mpf(v) for v in (cell.beta, cell.gamma, cell.epsilon))

    def matrix(m):  # (4)
        return (1 - beta) * (m + m.T) + beta * (m - m.T) - gamma * np.eye(len(m), dtype=int)

    a, w = matrix(p.weight_ch), matrix(p.weight_hh)
    return h + epsilon * (h @ a.T + tanh(h @ w.T + x @ p.weight_ih.T + p.bias_ih))
