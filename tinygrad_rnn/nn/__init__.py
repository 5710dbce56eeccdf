"""Networks: modules, layers, losses, initialisers and recurrent cells, as in `torch.nn`."""

from . import functional, init
from .functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    mse_loss,
    nll_loss,
)
from .layers import Dropout, Embedding, LayerNorm, Linear
from .module import Module, Parameter, Sequential
from .recurrent import GRU, LSTM, RNN, Cell, GRUCell, LSTMCell, Recurrent, RNNCell

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "Module",
    "Parameter",
    "RNNCell",
    "Recurrent",
    "Sequential",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "functional",
    "init",
    "mse_loss",
    "nll_loss",
]
