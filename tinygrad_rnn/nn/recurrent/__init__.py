"""Recurrent networks: the cell protocol, the classical cells, and running cells over sequences."""

from .cell import Cell
from .gru import GRUCell
from .layers import GRU, LSTM, RNN, Recurrent
from .lstm import LSTMCell
from .rnn import RNNCell

__all__ = ["GRU", "LSTM", "RNN", "Cell", "GRUCell", "LSTMCell", "RNNCell", "Recurrent"]
