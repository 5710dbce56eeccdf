"""Weights that nobody would train: Tensors that require a gradient and are no Parameters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from ... import pytree
from ...engine.tensor import Tensor
from ..module import Module
from ..parameter import Parameter

__all__ = ["warn_of_no_parameter"]


def warn_of_no_parameter(cell: Module) -> None:
    """UserWarning if there are any, with their names and how to write it."""
    names = list(_found(cell))
    if names:
        several = "Tensors that require a gradient and are no Parameters"
        one = "a Tensor that requires a gradient and is no Parameter"
        warnings.warn(
            f"{type(cell).__name__} holds {several if len(names) > 1 else one}: "
            f"{', '.join(names)}. No optimiser would know of it, and it would not be saved: "
            f"{names[0]} = nn.Parameter(...)",
            UserWarning,
            stacklevel=3,
        )


def _found(cell: Module) -> Iterator[str]:
    for path, module in cell.named_modules():
        prefix = f"self.{path}." if path else "self."
        for name, value in vars(module).items():
            for place, leaf in zip(pytree.places(value), pytree.leaves(value), strict=True):
                if isinstance(leaf, Tensor) and not isinstance(leaf, Parameter):
                    if leaf.requires_grad and leaf.op is None and not name.startswith("_"):
                        yield f"{prefix}{name}{place}"
