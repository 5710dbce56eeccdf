"""State-space models: linear recurrences of a state that is larger than the output."""

from .legendre import LMUCell
from .lru import LRUCell
from .s5 import S5Cell
from .selective import SelectiveSSMCell

__all__ = [
    "LMUCell",
    "LRUCell",
    "S5Cell",
    "SelectiveSSMCell",
]
