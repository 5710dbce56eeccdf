"""Cells that know the time: clocks of their own, and steps of unequal length."""

from .clockwork import ClockworkRNNCell

__all__ = ["ClockworkRNNCell"]
