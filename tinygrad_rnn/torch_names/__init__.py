"""PyTorch's names: one table of what works here as it does there, and where the rest is.

A name whose result is PyTorch's is an alias (`aliases.py`): it calls the op of this package, and
graphs, plans and errors show that op's own name. A name whose result would differ, or that is
spelled differently (`answers.py`), raises an AttributeError that gives the spelling here; so
`hasattr` tells the truth.
"""

from .aliases import BOTH, FUNCTIONAL, FUNCTIONS, METHODS, MODULE, PROPERTIES
from .answers import ANSWERS, missing
from .tensor import install

__all__ = [
    "ANSWERS",
    "BOTH",
    "FUNCTIONAL",
    "FUNCTIONS",
    "METHODS",
    "MODULE",
    "PROPERTIES",
    "missing",
]

install()
