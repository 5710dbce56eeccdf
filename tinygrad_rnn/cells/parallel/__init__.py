"""Cells that are affine in their state: all steps can be computed at once."""

from .mingru import MinGRUCell
from .minlstm import MinLSTMCell

__all__ = ["MinGRUCell", "MinLSTMCell"]
