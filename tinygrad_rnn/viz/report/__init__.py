"""The report: one page about trained models, a lesson in its order."""

from .training import training_report
from .views import report

__all__ = ["report", "training_report"]
