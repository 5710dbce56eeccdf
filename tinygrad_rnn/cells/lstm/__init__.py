"""Variants of the LSTM."""

from .convolutional import ConvLSTMCell
from .hyper import HyperLSTMCell
from .janet import JANETCell
from .layer_norm import LayerNormLSTMCell
from .memory_controller import MCLSTMCell
from .mogrifier import MogrifierLSTMCell
from .multiplicative import MultiplicativeLSTMCell
from .nas import NASCell
from .original import OriginalLSTMCell
from .peephole import PeepholeLSTMCell
from .projected import ProjectedLSTMCell
from .residual import ResLSTMCell
from .slstm import sLSTMCell
from .working_memory import WMCLSTMCell

__all__ = [
    "ConvLSTMCell",
    "HyperLSTMCell",
    "JANETCell",
    "LayerNormLSTMCell",
    "MCLSTMCell",
    "MogrifierLSTMCell",
    "MultiplicativeLSTMCell",
    "NASCell",
    "OriginalLSTMCell",
    "PeepholeLSTMCell",
    "ProjectedLSTMCell",
    "ResLSTMCell",
    "WMCLSTMCell",
    "sLSTMCell",
]
