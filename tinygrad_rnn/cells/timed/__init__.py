"""Cells that model time: internal clocks, and steps of unequal length."""

from .cfc import CfCCell
from .clockwork import ClockworkRNNCell
from .gru_d import GRUDCell
from .ltc import LTCCell
from .phased_lstm import PhasedLSTMCell

__all__ = [
    "CfCCell",
    "ClockworkRNNCell",
    "GRUDCell",
    "LTCCell",
    "PhasedLSTMCell",
]
