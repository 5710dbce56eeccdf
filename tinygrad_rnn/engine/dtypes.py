"""Which dtype data gets: the default for Python floats, and NumPy's own for NumPy's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .recording.node import Node

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["as_array", "get_default_dtype", "is_floating", "set_default_dtype"]


class _Defaults:
    dtype: np.dtype[Any] = np.dtype(np.float32)


def set_default_dtype(dtype: npt.DTypeLike) -> None:
    """Set the dtype that Python floats become in `tensor` and the factories (float32 at first).

    TypeError if it is not a floating dtype.

    >>> set_default_dtype("float64")
    >>> import tinygrad_rnn as tg
    >>> tg.tensor([1.0]).dtype
    dtype('float64')
    >>> set_default_dtype("float32")
    """
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"the default dtype must be floating, such as float32; got {dtype!r}")
    _Defaults.dtype = np.dtype(dtype)


def get_default_dtype() -> np.dtype[Any]:
    """The dtype that Python floats become.

    >>> get_default_dtype()
    dtype('float32')
    """
    return _Defaults.dtype


def is_floating(data: Any) -> bool:
    """Whether gradients are defined for the dtype of `data`: real floating point."""
    return isinstance(data, np.ndarray) and data.dtype.kind == "f"


def as_array(data: Any, dtype: npt.DTypeLike | None, copy: bool) -> Array:
    """The array of `data`: a Tensor, an ndarray, a number or nested lists. TypeError for others.

    Python floats get the default dtype, and NumPy's data keeps its own, unless `dtype` is given.
    """
    if isinstance(data, Node):
        data = data._data
    array = np.array(data, dtype=dtype, copy=copy or None)
    if array.dtype.kind not in "fiubc":
        raise TypeError(
            f"a tensor holds numbers; this {type(data).__name__} became dtype {array.dtype}"
        )
    if dtype is None and array.dtype == np.float64 and not _has_dtype(data):
        array = array.astype(_Defaults.dtype)
    return array


def _has_dtype(data: Any) -> bool:
    """Whether NumPy data, which keeps its dtype, is at the bottom of nested sequences."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return hasattr(data, "dtype")
