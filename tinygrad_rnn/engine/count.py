"""Count: what `t.size` returns, NumPy's int, which can say what it is to who calls it."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Count"]


class Count(int):
    """A number of elements. Called, as PyTorch's `t.size(0)` is, it says how that is written here.

    An op takes it for the int that it is, and so does NumPy: of a subclass of int it would take
    the dtype int64, where an int has the dtype of the array beside it.
    """

    __slots__ = ()

    def __call__(self, dim: int | None = None) -> NoReturn:
        """TypeError: it is no method here."""
        raise TypeError(
            "t.size is the number of elements here, as in NumPy; PyTorch's "
            + ("size() is t.shape" if dim is None else f"size({dim}) is t.shape[{dim}]")
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return getattr(ufunc, method)(*plain(inputs), **keywords)


def plain(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values with ints in the place of Counts."""
    return tuple(int(x) if x.__class__ is Count else x for x in values)
