"""Networks: modules, layers, losses, initialisers and recurrent cells, as in `torch.nn`."""

import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING

from .. import torch_names as _torch_names
from . import claims, functional, init, utils
from .activations import (
    ELU,
    GELU,
    Flatten,
    Identity,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .containers import ModuleDict, ModuleList, Sequential
from .convolution import Conv1d, Conv2d
from .decoding import Beams, Generated, beam_search, generate, scheduled_sampling
from .functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    mse_loss,
    nll_loss,
)
from .layers import Dropout, Embedding, LayerNorm, Linear
from .losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from .module import Module
from .parameter import Parameter
from .recurrent import GRU, LSTM, RNN, Cell, GRUCell, LSTMCell, Recurrent, RNNCell

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Beams",
    "Cell",
    "Conv1d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "Generated",
    "HuberLoss",
    "Identity",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "RNNCell",
    "ReLU",
    "Recurrent",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "beam_search",
    "binary_cross_entropy_with_logits",
    "claims",
    "cross_entropy",
    "functional",
    "generate",
    "init",
    "mse_loss",
    "nll_loss",
    "scheduled_sampling",
    "utils",
]

if not _TYPE_CHECKING:  # a type checker knows this package's own names only

    def __getattr__(name: str) -> object:
        return _torch_names.missing("nn", name, _sys.modules[__name__])
