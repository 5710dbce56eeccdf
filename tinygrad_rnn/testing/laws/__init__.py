"""The laws of every cell and layer, each a function of it and of one size of batch.

A law looks at one case, some steps and rows, and raises `Broken` with what it found. The cases are
tried from the smallest on, so the first that breaks a law is its smallest counterexample. A law is
registered where it is defined; the files are imported in the order of the checks.
"""

from . import state, gradients, through_time, execution, sequences  # noqa: F401, I001
from .gradients import ORIGIN
from .law import LAWS, Broken, DoesNotApply, Law

__all__ = ["LAWS", "ORIGIN", "Broken", "DoesNotApply", "Law"]
