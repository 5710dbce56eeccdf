"""Cells that are affine in their state, so that all steps can be computed in parallel."""

from .mingru import MinGRUCell
from .minlstm import MinLSTMCell
from .qrnn import QRNNCell
from .sru import SRUCell
from .tgru import TGRUCell
from .tlstm import TLSTMCell
from .trnn import TRNNCell

__all__ = [
    "MinGRUCell",
    "MinLSTMCell",
    "QRNNCell",
    "SRUCell",
    "TGRUCell",
    "TLSTMCell",
    "TRNNCell",
]
