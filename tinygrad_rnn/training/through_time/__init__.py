"""Gradients through time other than backpropagation through the whole sequence, for any cell.

Each takes a recurrent layer, a sequence x (T, B, ...), and `loss(outputs, steps)`: the loss of some
steps, from their outputs (K, B, ...), where `steps` is the slice of time that they are, so that
targets are `targets[steps]`. The loss of a sequence is the sum over its steps. Each returns a
`TimeGradient`; no `.grad` is touched.
"""

from .comparing import Comparison, compare_gradients
from .forward import eprop, rtrl, snap
from .gradient import TimeGradient
from .truncated import bptt, tbptt

__all__ = [
    "Comparison",
    "TimeGradient",
    "bptt",
    "compare_gradients",
    "eprop",
    "rtrl",
    "snap",
    "tbptt",
]
