"""Relatives of the LSTM."""

from .janet import JANETCell
from .peephole import PeepholeLSTMCell

__all__ = ["JANETCell", "PeepholeLSTMCell"]
