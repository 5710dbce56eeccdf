"""Tools to trust a gradient: of an op, of a function, of a cell of your own."""

from .check_op import OpReport, check_op
from .gradcheck import gradcheck, gradgradcheck
from .report import Disagreement, GradientError, GradientReport

__all__ = [
    "Disagreement",
    "GradientError",
    "GradientReport",
    "OpReport",
    "check_op",
    "gradcheck",
    "gradgradcheck",
]
