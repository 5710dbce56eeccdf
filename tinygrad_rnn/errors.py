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
    """An array was changed after a forward pass and before the backward pass that needs it.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> x.data[0] = 7.0
    >>> try:
    ...     y.backward()
    ... except tg.StaleValueError as error:
    ...     print(str(error).split(",")[0])
    mul: its input 'x' (float32[2]) is needed for the gradient
    """


class GraphFreedError(TinygradRnnError, RuntimeError):
    """A backward pass ran through a graph that an earlier backward pass has already freed.

    >>> import tinygrad_rnn as tg
    >>> y = tg.tanh(tg.tensor(1.0, requires_grad=True))
    >>> y.backward()
    >>> try:
    ...     y.backward()
    ... except tg.GraphFreedError as error:
    ...     print(str(error).split(":")[0])
    backward() a second time through tanh
    """


class AnomalyError(TinygradRnnError, FloatingPointError):
    """The first NaN or Inf that `tinygrad_rnn.detect_anomaly` met, forward or backward.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> with tg.detect_anomaly(), np.errstate(divide="ignore"):
    ...     try:
    ...         tg.log(tg.tensor(0.0))
    ...     except tg.AnomalyError as error:
    ...         print(str(error).split(":")[0])
    the result of log has the first Inf or NaN
    """
