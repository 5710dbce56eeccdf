"""Comparing cells, trained on the same tasks with the same seeds and equally many weights.

`comparing.py` has `compare`. Below it, `run` trains one cell on one task with one seed; `jobs`
describes a run as data for any process; `engines` are the places where runs happen; `results` is
the file of finished runs. `table` and `report` present the results.
"""

from .comparing import Comparison, compare
from .entries import Entry, leaders
from .run import Learnt, learn
from .subjects import ComparisonError

__all__ = ["Comparison", "ComparisonError", "Entry", "Learnt", "compare", "leaders", "learn"]
