"""Cards of cells: everything known about a cell, on one page. `tg.card(cell)` makes one."""

from .card import Card, card, equations
from .equations import Equation, Equations

__all__ = ["Card", "Equation", "Equations", "card", "equations"]
