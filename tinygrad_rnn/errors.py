"""The errors that are this package's own; all others are Python's (ValueError, TypeError, ...)."""

from __future__ import annotations

__all__ = ["AnomalyError", "GraphFreedError", "StaleValueError", "TinygradRnnError"]


class TinygradRnnError(Exception):
    """Base of the errors that have no fitting class in Python itself.

    >>> import tinygrad_rnn as tg
    >>> issubclass(tg.AnomalyError, tg.TinygradRnnError)
    True
    """


class StaleValueError(TinygradRnnError, RuntimeError):
    """An array was changed after a forward pass and before the backward pass that needs it."""


class GraphFreedError(TinygradRnnError, RuntimeError):
    """A backward pass ran through a graph that an earlier backward pass has already freed."""


class AnomalyError(TinygradRnnError, FloatingPointError):
    """The first NaN or Inf that `tinygrad_rnn.detect_anomaly` met, forward or backward."""
