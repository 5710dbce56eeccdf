"""Published cells, one short file each, in folders by family.

Each says its equations, where they were published, and how its parameters start. `tg.nn` has the
classical ones: RNN, LSTM, GRU.
"""

from .dynamical import (
    AntisymmetricRNNCell,
    FastGRNNCell,
    FastRNNCell,
    GatedAntisymmetricRNNCell,
    IdentityRNNCell,
    IndRNNCell,
    LEMCell,
    UnICORNNCell,
    coRNNCell,
)
from .gated import (
    ATRCell,
    BRCell,
    CFNCell,
    MGUCell,
    MinimalRNNCell,
    NBRCell,
    RANCell,
    STARCell,
    UGRNNCell,
)
from .lstm import JANETCell, PeepholeLSTMCell
from .parallel import MinGRUCell, MinLSTMCell

__all__ = [
    "ATRCell",
    "AntisymmetricRNNCell",
    "BRCell",
    "CFNCell",
    "FastGRNNCell",
    "FastRNNCell",
    "GatedAntisymmetricRNNCell",
    "IdentityRNNCell",
    "IndRNNCell",
    "JANETCell",
    "LEMCell",
    "MGUCell",
    "MinGRUCell",
    "MinLSTMCell",
    "MinimalRNNCell",
    "NBRCell",
    "PeepholeLSTMCell",
    "RANCell",
    "STARCell",
    "UGRNNCell",
    "UnICORNNCell",
    "coRNNCell",
]
