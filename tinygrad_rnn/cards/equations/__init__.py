"""The equations of a cell, recovered from a traced step, to be read, copied and evaluated."""

from .equations import Equation, Equations

__all__ = ["Equation", "Equations"]
