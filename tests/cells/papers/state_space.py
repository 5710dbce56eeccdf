"""State-space models as their papers have them."""

from __future__ import annotations

from . import exact, paper, tanh


@paper("LMUCell", memory_size=4)
def lmu(p, x, state, cell):
    h, m = state
    u = x @ p.encoder_x + h @ p.encoder_h + m @ p.encoder_m  # (7)
    m = m @ exact(cell.A.data).T + u[:, None] * exact(cell.B.data)  # (4)
    return tanh(x @ p.weight_ih.T + h @ p.weight_hh.T + m @ p.weight_mh.T), m  # (6)
