"""Comparing cells: each trained on the same tasks, under the same seeds, with as many weights.

`comparing.py` has `compare`. Below it: `run` trains one cell on one task under one seed, `jobs`
makes of it something that any process can do, `engines` are where it is done, `results` is the file
that every finished run goes to. `table` and `report` show what was found.
"""

from .comparing import Comparison, compare
from .entries import Entry, leaders
from .run import Learnt, learn
from .subjects import ComparisonError

__all__ = ["Comparison", "ComparisonError", "Entry", "Learnt", "compare", "leaders", "learn"]
