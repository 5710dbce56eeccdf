"""Cells with a memory that is written and read by content."""

from .fast_weights import FastWeightsCell

__all__ = ["FastWeightsCell"]
