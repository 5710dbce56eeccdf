"""Wrappers: cells around any cell, composable in any order.

Each takes the cell that it wraps as its first argument and is a cell itself: for layers,
directions, `lengths`, further inputs, `check_cell`, pictures and the compiler.

>>> import tinygrad_rnn as tg
>>> from tinygrad_rnn.cells.wrappers import Multiplicative, Zoneout
>>> cell = Zoneout(Multiplicative(tg.nn.LSTMCell(3, 4)), 0.1)
>>> outputs, states = tg.nn.Recurrent(cell, num_layers=2)(tg.zeros(5, 2, 3))
>>> outputs.shape
(5, 2, 4)
"""

from .attention import AttentionOverPast
from .multiplicative import Multiplicative
from .normalized import NormalizedState
from .normalized_gates import NormalizedGates
from .phased import Phased
from .projection import Projection
from .residual import Residual
from .variational import VariationalDropout
from .weight_drop import WeightDrop
from .wrapper import Wrapper
from .zoneout import Zoneout

__all__ = [
    "AttentionOverPast",
    "Multiplicative",
    "NormalizedGates",
    "NormalizedState",
    "Phased",
    "Projection",
    "Residual",
    "VariationalDropout",
    "WeightDrop",
    "Wrapper",
    "Zoneout",
]
