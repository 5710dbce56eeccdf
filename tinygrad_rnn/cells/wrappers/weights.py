"""Weights of a wrapped cell that are read through a function of the wrapper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ...nn import Cell, Module

__all__ = ["found_weights", "read_through"]

Place = tuple[Module, str]
Apply = Callable[[Module, Any, Any], Any]


def found_weights(
    cell: Cell, names: Sequence[str] | None, usual: Sequence[str]
) -> dict[str, Place]:
    """By the path of each parameter in the cell: the module that holds it, and its name there.

    Without `names`, every parameter with one of the `usual` names, in the cell and the cells inside
    it. ValueError for a name that does not exist, or if there is no such parameter.
    """
    held = [path for path, _ in cell.named_parameters()]
    modules = dict(cell.named_modules())
    paths = names
    if paths is None:
        paths = [path for path in held if path.rpartition(".")[2] in usual]
    found = {}
    for path in paths:
        if path not in held:
            raise ValueError(f"{type(cell).__name__} has no parameter {path!r}: {held}")
        place, _, name = path.rpartition(".")
        found[path] = modules[place], name
    if not found:
        raise ValueError(
            f"{type(cell).__name__} has no {' or '.join(usual)}: choose the weights with "
            f"names=[...], from {held}"
        )
    return found


def read_through(module: Module, name: str, apply: Apply) -> str:
    """Make `module.name` return `apply(module, parameter, held)`; the parameter does not change.

    Returns the name of the module's attribute for `held`; while that is None, `module.name` is the
    plain parameter. The class of the module gets a property, as with PyTorch's parametrizations.
    Several functions on one weight are applied in order.
    """
    place = f"_{apply.__name__}_{name}"
    kind: Any = type(module)
    module.__class__ = _with_property(kind, name, place, apply)
    return place


@cache
def _with_property(kind: Any, name: str, place: str, apply: Apply) -> Any:
    if hasattr(kind, place):
        return kind
    below = getattr(kind, name, None)

    def read(self: Any) -> Any:
        weight = vars(self)[name] if below is None else below.fget(self)
        held = getattr(self, place)
        return weight if held is None else apply(self, weight, held)

    def put(self: Any, value: Any) -> None:
        vars(self)[name] = value

    return type(kind.__name__, (kind,), {
        "__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__,
        name: property(read, put), place: None,
    })  # fmt: skip
