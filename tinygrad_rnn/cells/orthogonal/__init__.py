"""Cells whose recurrent matrix keeps norms, so that gradients neither vanish nor explode by it."""

from .householder import HouseholderRNNCell
from .unitary import UnitaryRNNCell

__all__ = ["HouseholderRNNCell", "UnitaryRNNCell"]
