"""Cells with a content-addressed memory."""

from .fast_weights import FastWeightsCell
from .gated_deltanet import GatedDeltaNetCell
from .mlstm import mLSTMCell
from .rwkv4 import RWKV4Cell

__all__ = [
    "FastWeightsCell",
    "GatedDeltaNetCell",
    "RWKV4Cell",
    "mLSTMCell",
]
