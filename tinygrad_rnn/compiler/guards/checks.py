"""Checks: conditions on single values, which make up the guards of a specialization."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import FunctionType
from typing import Any

import numpy as np

from ...engine.recording.guard import fingerprint
from ...engine.tensor import Tensor

__all__ = [
    "MISSING", "ArrayCheck", "Binding", "Check", "Constant", "ContextCheck", "Entries", "Function",
    "Items", "Leaf", "Method", "Namespace", "Number", "Same",
]  # fmt: skip

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "nothing"})()


class Binding:
    """The result of one run of all checks: the Tensor for each leaf, and what differed.

    `numbers`: whether numbers may have changed; `changed` then lists the failed checks of numbers.
    `strict`: whether Tensors that the program does not read must be the same, too.
    """

    __slots__ = ("changed", "leaves", "numbers", "strict")

    def __init__(self, leaves: int, numbers: bool = False, strict: bool = False) -> None:
        self.leaves: list[Any] = [None] * leaves
        self.numbers, self.strict = numbers, strict
        self.changed: list[Number] = []


class Check:
    """A condition on one value."""

    __slots__ = ()

    def holds(self, value: Any, binding: Binding) -> bool:
        """Whether a value is as it was when the step was recorded."""
        raise NotImplementedError


class Constant(Check):
    """An immutable value: equal, and of the same type."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        return value is self.value or (type(value) is type(self.value) and value == self.value)


class Number(Constant):
    """A number: it may become an input of the program when it changes."""

    __slots__ = ("where",)

    def __init__(self, value: Any, where: str) -> None:
        super().__init__(value)
        self.where = where

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        if value is self.value:
            return True
        if type(value) is not type(self.value):
            return False
        if repr(value) == repr(self.value):  # 0.0 is not -0.0, and nan is nan
            return True
        binding.changed.append(self)
        return binding.numbers


class Same(Check):
    """One object, held weakly where that is possible."""

    __slots__ = ("refers",)

    def __init__(self, value: Any) -> None:
        try:
            self.refers: Callable[[], Any] = weakref.ref(value)
        except TypeError:
            self.refers = lambda: value

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        return value is not None and value is self.refers()


class Leaf(Check):
    """A Tensor; another one of the same dtype, shape and flags may replace it: input `number`."""

    __slots__ = ("dtype", "id", "kind", "learned", "number", "shape")

    def __init__(self, tensor: Tensor, number: int | None) -> None:
        self.number, self.kind, self.id = number, type(tensor), id(tensor)
        self.shape, self.dtype = tensor._data.shape, tensor._data.dtype
        self.learned = tensor.requires_grad

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        if type(value) is not self.kind or value.requires_grad is not self.learned:
            return False
        data, number = value._data, self.number
        if data.shape != self.shape or (data.dtype is not self.dtype and data.dtype != self.dtype):
            return False
        if binding.strict and id(value) != self.id:
            return False
        if number is not None:
            leaves = binding.leaves
            bound = leaves[number]
            if bound is None:
                leaves[number] = value
            elif bound is not value:  # two names of one Tensor now refer to two Tensors
                return False
        return True


class ArrayCheck(Check):
    """An ndarray of numbers, by its content."""

    __slots__ = ("dtype", "fingerprint", "shape")

    def __init__(self, array: Any) -> None:
        self.shape, self.dtype, self.fingerprint = array.shape, array.dtype, fingerprint(array)

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        return (
            isinstance(value, np.ndarray)
            and value.shape == self.shape
            and value.dtype == self.dtype
            and fingerprint(value) == self.fingerprint
        )


class Items(Check):
    """A list, a tuple or a deque, item by item."""

    __slots__ = ("checks", "kind")

    def __init__(self, value: Sequence[Any] | deque[Any], checks: Sequence[Check]) -> None:
        self.kind, self.checks = type(value), checks

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        if type(value) is not self.kind or len(value) != len(self.checks):
            return False
        return all(c.holds(v, binding) for c, v in zip(self.checks, value, strict=True))


class Entries(Check):
    """A dict, entry by entry and in order."""

    __slots__ = ("checks", "keys", "kind")

    def __init__(self, value: Mapping[Any, Any], checks: Sequence[Check]) -> None:
        self.kind, self.keys, self.checks = type(value), [*value], checks

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        if type(value) is not self.kind or [*value] != self.keys:
            return False
        return all(c.holds(v, binding) for c, v in zip(self.checks, value.values(), strict=True))


class ContextCheck(Check):
    """A context variable, by its current value."""

    __slots__ = ("check", "variable")

    def __init__(self, variable: ContextVar[Any], check: Check) -> None:
        self.variable, self.check = variable, check

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        return value is self.variable and self.check.holds(value.get(MISSING), binding)


class Function(Check):
    """A Python function, which may be re-created: its code, its defaults, its closure."""

    __slots__ = ("cells", "code", "defaults", "globals", "keywords")

    def __init__(self, value: FunctionType, visit: Callable[[Any, str], Check]) -> None:
        self.code, self.globals = value.__code__, value.__globals__
        name = value.__qualname__
        self.defaults = visit(value.__defaults__, f"the defaults of {name}")
        self.keywords = visit(value.__kwdefaults__, f"the defaults of {name}")
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        self.cells = [visit(content_of(cell), f"{var} in {name}") for var, cell in cells]

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        if type(value) is not FunctionType or value.__code__ is not self.code:
            if type(value) is not FunctionType or value.__code__ != self.code:
                return False
        if value.__globals__ is not self.globals:
            return False
        if not self.defaults.holds(value.__defaults__, binding):
            return False
        if not self.keywords.holds(value.__kwdefaults__, binding):
            return False
        cells = value.__closure__ or ()
        return all(c.holds(content_of(v), binding) for c, v in zip(self.cells, cells, strict=True))


def content_of(cell: Any) -> Any:
    """The content of a closure cell."""
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return MISSING


class Method(Check):
    """A bound method, or a partial application: its parts."""

    __slots__ = ("checks", "kind", "parts")

    def __init__(self, value: Any, parts: Sequence[str], visit: Callable[[Any, str], Check]):
        self.kind, self.parts = type(value), parts
        name = getattr(value, "__name__", "a partial application")
        self.checks = [visit(getattr(value, part), f"{part} of {name}") for part in parts]

    def holds(self, value: Any, binding: Binding) -> bool:  # noqa: D102
        return type(value) is self.kind and all(
            check.holds(getattr(value, part), binding)
            for part, check in zip(self.parts, self.checks, strict=True)
        )


class Namespace:
    """Some names of an object, a class or a module, compared in plain loops before every scan.

    `read`: the mapping, or None if the object no longer exists.
    """

    __slots__ = ("absent", "constants", "deep", "leaves", "objects", "read")

    def __init__(self, read: Callable[[], Any]) -> None:
        self.read = read
        self.constants: list[tuple[str, Any, Check]] = []
        self.objects: list[tuple[str, Any]] = []
        self.leaves: list[tuple[str, Leaf]] = []
        self.deep: list[tuple[str, Check]] = []
        self.absent: list[str] = []

    def add(self, name: str, check: Check) -> None:
        """Guard a name."""
        if isinstance(check, Constant):
            if check.value is MISSING:
                self.absent.append(name)
            else:
                self.constants.append((name, check.value, check))
        elif isinstance(check, Same):
            self.objects.append((name, check.refers))
        elif isinstance(check, Leaf):
            self.leaves.append((name, check))
        else:
            self.deep.append((name, check))

    def holds(self, binding: Binding) -> bool:
        """Whether all names are as they were."""
        mapping = self.read()
        if mapping is None:
            return False
        get = mapping.get
        for name, constant, check in self.constants:
            value = get(name, MISSING)
            if value is not constant and not check.holds(value, binding):
                return False
        for name, refers in self.objects:
            value = get(name)
            if value is None or value is not refers():
                return False
        for name, leaf in self.leaves:
            if not leaf.holds(get(name), binding):
                return False
        for name, check in self.deep:
            if not check.holds(get(name, MISSING), binding):
                return False
        for name in self.absent:  # noqa: SIM110  (a generator takes longer)
            if name in mapping:
                return False
        return True
