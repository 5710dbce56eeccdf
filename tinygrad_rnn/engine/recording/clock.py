"""The clock: a number for each node as it is made and for each change of an array."""

from __future__ import annotations

import itertools

__all__ = ["tick"]

tick = itertools.count(1).__next__
"""The next moment. Nodes are numbered by it, so that a node's inputs have smaller numbers than
the node: sorting by number is a topological order."""
