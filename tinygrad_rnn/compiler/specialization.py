"""Settings: everything about a cell, but for its parameters' elements, that a trace depends on."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.guard import fingerprint
from ..engine.tensor import Tensor
from ..nn.module import Module
from ..nn.recurrent.cell import Cell

__all__ = ["Settings", "settings_of"]


_MISSING = object()


class Settings:
    """What a cell and its submodules hold, as a key; `learns`: whether a parameter does."""

    def __init__(self, cell: Cell) -> None:
        self._key = tuple(
            (name, _setting(value)) for module in cell.modules() for name, value in _held_by(module)
        )
        self._hash = hash(self._key)
        self.learns = any(parameter.requires_grad for parameter in cell.parameters())

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Settings) and self._key == other._key)


def settings_of(cell: Cell) -> Settings:
    """The settings of a cell as it is now: those found before, if it still holds the same."""
    look = _LOOKS.get(cell)
    if look is None or not look.still_holds():
        look = _LOOKS[cell] = _Look(cell)
    return look.settings


class _Look:
    """Settings, and what they were read from: to see at little cost that nothing was exchanged."""

    def __init__(self, cell: Cell) -> None:
        self.settings = Settings(cell)
        modules = list(cell.modules())
        self._modules = [
            (weakref.ref(module), len(vars(module)), [(n, _kept(v)) for n, v in _held_by(module)])
            for module in modules
        ]
        tensors = [v for m in modules for _, v in _held_by(m) if isinstance(v, Tensor)]
        self._tensors: list[Callable[[], Any]] = [weakref.ref(tensor) for tensor in tensors]
        self._learned = [tensor.requires_grad for tensor in tensors]
        values = [value for module in modules for _, value in _held_by(module)]
        # What can change without being exchanged has to be read each time.
        self._fixed = all(
            value is None or isinstance(value, Tensor | Module | int | float | str)
            for value in values
        )

    def still_holds(self) -> bool:
        if not self._fixed:
            return False
        for module, count, held in self._modules:
            now = vars(module())
            if len(now) != count:
                return False
            for name, kept in held:
                value = now.get(name, _MISSING)
                if value is not kept() or (value is None and kept is not _none):  # it may be gone
                    return False
        return [tensor().requires_grad for tensor in self._tensors] == self._learned


_LOOKS: weakref.WeakKeyDictionary[Cell, _Look] = weakref.WeakKeyDictionary()


def _held_by(module: Any) -> list[tuple[str, Any]]:
    """The attributes of a module, without the arguments that its siblings would be made with."""
    return [entry for entry in vars(module).items() if entry[0] != "_made_with"]


def _kept(value: Any) -> Callable[[], Any]:
    """A function that returns the value for as long as it lives, and keeps no module alive."""
    if value is None:
        return _none
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


def _none() -> None:
    pass


def _setting(value: Any) -> Any:
    """What is equal only for attributes that make the same plan, as a key."""
    if isinstance(value, Tensor):
        return Same(value), value.requires_grad
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value.shape, value.dtype, fingerprint(value)
    if isinstance(value, tuple | list):
        return type(value), tuple(map(_setting, value))
    if isinstance(value, dict):
        return tuple((name, _setting(part)) for name, part in value.items())
    if isinstance(value, int | float | str | bool | None):
        return type(value), repr(value) if isinstance(value, float) else value
    return Same(value)


class Same:
    """A key that equals only one of the same object, for as long as that lives."""

    def __init__(self, held: Any) -> None:
        self._held = _kept(held)
        self._id = id(held)

    def __hash__(self) -> int:
        return self._id

    def __eq__(self, other: object) -> bool:
        held = self._held()
        return held is not None and isinstance(other, Same) and other._held() is held
