"""Comparing cells: each trained on the same tasks, under the same seeds, with as many weights."""

from .run import Learnt, learn

__all__ = ["Learnt", "learn"]
