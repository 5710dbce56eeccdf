"""The exercises of the guide, and the check of their answers."""

from . import answers as _answers  # noqa: F401  (it fills the table of exercises)
from .exercise import Exercise, Verdict, check, question

__all__ = ["Exercise", "Verdict", "check", "question"]
