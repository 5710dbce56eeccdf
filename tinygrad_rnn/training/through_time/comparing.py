"""Each of these gradients, compared with the exact one."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from ... import nn
from ...engine.tensor import Tensor
from .forward import eprop, rtrl, snap
from .gradient import Loss, TimeGradient
from .truncated import bptt, tbptt

__all__ = ["Comparison", "compare_gradients"]


class Comparison(NamedTuple):
    """A gradient compared with the exact one: cosine similarity, and the ratio of their norms.

    >>> Comparison("tbptt(1, 1)", cosine=0.8, norm=0.5, dropped=0.4).cosine
    0.8
    """

    name: str
    cosine: float
    norm: float
    dropped: float


def compare_gradients(
    layer: nn.Recurrent | nn.Cell, x: Tensor, loss: Loss, windows: Sequence[int] = (1, 2, 4, 8, 16)
) -> list[Comparison]:
    """Compare truncated BPTT for windows k2 (k1 = 1), RTRL, SnAp-1, SnAp-2, e-prop with exact BPTT.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.RNN(1, 2), tg.randn(6, 1, 1)
    >>> for row in compare_gradients(layer, x, lambda y, steps: (y**2).sum(), windows=[6]):
    ...     print(row.name, round(row.cosine, 4), round(row.norm, 4))  # doctest: +ELLIPSIS
    tbptt(1, 6) 1.0 1.0
    rtrl 1.0 1.0
    snap-1 ...
    snap-2 1.0 1.0
    e-prop ...
    """
    if isinstance(layer, nn.Cell):
        layer = nn.Recurrent(layer)
    exact = bptt(layer, x, loss)
    found = {f"tbptt(1, {k})": tbptt(layer, x, loss, 1, k) for k in windows if k <= len(x)}
    found |= {"rtrl": rtrl(layer, x, loss)}
    found |= {f"snap-{n}": snap(layer, x, loss, n) for n in (1, 2)}
    found |= {"e-prop": eprop(layer, x, loss)}
    for name, other in found.items():
        if not np.isclose(other.loss, exact.loss, rtol=1e-3, atol=1e-6):
            raise ValueError(
                f"the loss of the steps adds up to {other.loss:.6g} by {name}, but to "
                f"{exact.loss:.6g} at once: loss(outputs, steps) must be a sum over steps"
            )
    return [_compared(name, other, exact) for name, other in found.items()]


def _compared(name: str, one: TimeGradient, exact: TimeGradient) -> Comparison:
    a, b = (np.concatenate([np.ravel(g) for g in found.gradients]) for found in (one, exact))
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    cosine = float(a @ b) / (norms[0] * norms[1]) if all(norms) else float(norms[0] == norms[1])
    return Comparison(name, cosine, norms[0] / norms[1] if norms[1] else inf, one.dropped)
