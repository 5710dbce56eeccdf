"""Cells from dynamical systems: small steps, oscillators, independent neurons."""

from .antisymmetric import AntisymmetricRNNCell
from .cornn import coRNNCell
from .fastgrnn import FastGRNNCell
from .fastrnn import FastRNNCell
from .gated_antisymmetric import GatedAntisymmetricRNNCell
from .identity import IdentityRNNCell
from .indrnn import IndRNNCell
from .lem import LEMCell
from .lipschitz import LipschitzRNNCell
from .unicornn import UnICORNNCell

__all__ = [
    "AntisymmetricRNNCell",
    "FastGRNNCell",
    "FastRNNCell",
    "GatedAntisymmetricRNNCell",
    "IdentityRNNCell",
    "IndRNNCell",
    "LEMCell",
    "LipschitzRNNCell",
    "UnICORNNCell",
    "coRNNCell",
]
