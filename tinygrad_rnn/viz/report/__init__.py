"""The report: one page about trained models, in the order of a lesson."""

from .names import names_report
from .training import training_report
from .views import report

__all__ = ["names_report", "report", "training_report"]
