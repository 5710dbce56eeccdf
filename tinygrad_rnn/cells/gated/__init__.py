"""Cells with gates on one state."""

from .atr import ATRCell
from .brc import BRCell
from .cfn import CFNCell
from .mgu import MGUCell
from .minimalrnn import MinimalRNNCell
from .nbrc import NBRCell
from .ran import RANCell
from .star import STARCell
from .ugrnn import UGRNNCell

__all__ = [
    "ATRCell",
    "BRCell",
    "CFNCell",
    "MGUCell",
    "MinimalRNNCell",
    "NBRCell",
    "RANCell",
    "STARCell",
    "UGRNNCell",
]
