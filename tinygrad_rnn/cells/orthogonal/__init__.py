"""Cells with a norm-preserving recurrent matrix, so that gradients do not vanish or explode."""

from .householder import HouseholderRNNCell
from .unitary import UnitaryRNNCell

__all__ = ["HouseholderRNNCell", "UnitaryRNNCell"]
