"""Relatives of the LSTM."""

from .janet import JANETCell
from .memory_controller import MCLSTMCell
from .multiplicative import MultiplicativeLSTMCell
from .nas import NASCell
from .original import OriginalLSTMCell
from .peephole import PeepholeLSTMCell
from .residual import ResLSTMCell
from .working_memory import WMCLSTMCell

__all__ = [
    "JANETCell",
    "MCLSTMCell",
    "MultiplicativeLSTMCell",
    "NASCell",
    "OriginalLSTMCell",
    "PeepholeLSTMCell",
    "ResLSTMCell",
    "WMCLSTMCell",
]
