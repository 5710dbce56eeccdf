"""Tools to check gradients: of an op, of a function, of your own cell."""

from .check_cell import CellError, CellReport, LawReport, check_cell
from .check_op import OpReport, check_op
from .gradients.gradcheck import gradcheck, gradgradcheck
from .gradients.report import Disagreement, GradientError, GradientReport

__all__ = [
    "CellError",
    "CellReport",
    "Disagreement",
    "GradientError",
    "GradientReport",
    "LawReport",
    "OpReport",
    "check_cell",
    "check_op",
    "gradcheck",
    "gradgradcheck",
]
