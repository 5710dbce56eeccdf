"""Product: a weight whose product with x goes through a function, such as a normalisation."""

from __future__ import annotations

from typing import Any

__all__ = ["Product"]


class Product:
    """A weight for `linear` whose product with x goes through a function before a bias is added.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.linear(tg.ones(1, 2), Product(tg.ones(3, 2), tg.negative))
    tensor([[-2., -2., -2.]], dtype=float32)
    """

    def __init__(self, weight: Any, then: Any) -> None:
        self.weight, self.then = weight, then

    def __mul__(self, other: Any) -> Product:
        """The weight times a mask, say; its product goes through the same function."""
        return Product(self.weight * other, self.then)

    def __getattr__(self, name: str) -> Any:
        """TypeError: nothing but `linear` knows what to do with it."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise TypeError(
            "a weight whose product is normalised is multiplied by nn.functional.linear(x, "
            f"self.weight) alone; its {name!r} was asked for"
        )
