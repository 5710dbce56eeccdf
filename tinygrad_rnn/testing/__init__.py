"""Tools to trust a gradient: of an op, of a function, of a cell of your own."""

from .gradcheck import gradcheck, gradgradcheck
from .report import Disagreement, GradientError, GradientReport

__all__ = [
    "Disagreement",
    "GradientError",
    "GradientReport",
    "gradcheck",
    "gradgradcheck",
]
