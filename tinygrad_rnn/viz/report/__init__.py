"""The report: one page about trained models, a lesson in its order."""

from .views import report

__all__ = ["report"]
