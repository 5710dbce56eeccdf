"""Recurrent networks: the cell protocol, the classical cells, and running cells over sequences."""

from .cell import Cell
from .gru import GRU, GRUCell
from .layers import Recurrent
from .lstm import LSTM, LSTMCell
from .rnn import RNN, RNNCell

__all__ = ["GRU", "LSTM", "RNN", "Cell", "GRUCell", "LSTMCell", "RNNCell", "Recurrent"]
