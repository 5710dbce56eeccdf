"""State-space models as their papers have them, with complex numbers."""

from __future__ import annotations

import numpy as np

from . import _elementwise, exact, exp, mpmath, paper, rows, softplus, tanh

i = mpmath.mpc(0, 1)
real = _elementwise(lambda v: v.real)
imaginary = _elementwise(lambda v: v.imag)


@paper("LMUCell", memory_size=4)
def lmu(p, x, state, cell):
    h, m = state
    u = x @ p.encoder_x + h @ p.encoder_h + m @ p.encoder_m  # (7)
    m = m @ exact(cell.A.data).T + u[:, None] * exact(cell.B.data)  # (4)
    return tanh(x @ p.weight_ih.T + h @ p.weight_hh.T + m @ p.weight_mh.T), m  # (6)


@paper("LRUCell", output=True, state_size=2)
def lru(p, x, state, cell):
    s = state[0] + i * state[1]
    eigenvalues = exp(-exp(p.nu) + i * exp(p.theta))
    b_r, b_i = rows(p.weight_ih, 2)
    s = eigenvalues * s + exp(p.gamma_log) * (x @ (b_r + i * b_i).T)
    y = real(s @ (p.weight_ho[0] + i * p.weight_ho[1]).T) + x @ p.weight_io.T
    return y, (real(s), imaginary(s))


@paper("S5Cell", output=True, state_size=2)
def s5(p, x, state, cell):
    s = state[0] + i * state[1]
    damped = np.where(p.eigenvalues[0] < -1e-4, p.eigenvalues[0], mpmath.mpf(-1e-4))
    eigenvalues = damped + i * p.eigenvalues[1]
    step = exp(p.log_step)
    b_r, b_i = rows(p.weight_ih, 2)
    held = (exp(eigenvalues * step) - 1) / eigenvalues
    s = exp(eigenvalues * step) * s + held * (x @ (b_r + i * b_i).T)  # (6)
    y = 2 * real(s @ (p.weight_ho[0] + i * p.weight_ho[1]).T) + x @ p.weight_io.T  # (2)
    return y, (real(s), imaginary(s))


@paper("SelectiveSSMCell", output=True, state_size=2, rank=2)
def selective(p, x, state, cell):
    u = x @ p.weight_ih.T
    low, b, c = np.split(u @ p.weight_x.T, [2, 4], axis=-1)
    step = softplus(low @ p.weight_dt.T + p.bias_dt)
    a = -exp(p.A_log)
    after, shown = np.empty_like(state), np.empty_like(u)
    for row in range(len(x)):
        for channel in range(u.shape[1]):
            d = step[row, channel]
            s = exp(d * a[channel]) * state[row, channel] + d * b[row] * u[row, channel]  # (2a)
            after[row, channel] = s
            shown[row, channel] = s @ c[row] + p.D[channel] * u[row, channel]  # (2b)
    return shown, after
