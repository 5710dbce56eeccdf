"""Guards: everything that a recorded step could read besides its arguments, turned into checks.

Start from the step's function. Follow its closure, its defaults and the globals that the executed
code names; in objects, the attributes whose names that code contains. Everything that is reached
gets a check if it is an immutable value, a container, an array or a Tensor. Anything else cannot be
guarded, and then the step is not compiled.
"""

from __future__ import annotations

import builtins
import enum
import functools
import io
import random
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from os import environ
from typing import Any

import numpy as np

from ...engine.primitives.primitive import Primitive
from ...engine.tensor import Tensor
from ..trace.calls import Codes, home_of, impure
from .checks import (
    MISSING,
    ArrayCheck,
    Binding,
    Check,
    Constant,
    ContextCheck,
    Entries,
    Function,
    Items,
    Leaf,
    Method,
    Namespace,
    Number,
    Same,
)
from .names import names_in

__all__ = ["Guards", "Unguardable"]

MOST = 5000  # the most values that the guards of one step check

_CONSTANTS = (
    type(None), bool, complex, str, bytes, range, slice, type(...), type(NotImplemented), np.dtype,
)  # fmt: skip
_OBJECTS = (
    types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, np.ufunc,
    types.ModuleType, property, staticmethod, classmethod, types.GetSetDescriptorType, enum.Enum,
    types.MemberDescriptorType, functools._lru_cache_wrapper, functools.cached_property,
    types.CodeType, types.GenericAlias, types.MethodWrapperType, types.MappingProxyType,
)  # fmt: skip
_NEVER: dict[type, str] = {
    np.random.Generator: "a separate random generator; use tg.rand_like",
    np.random.RandomState: "NumPy's random numbers; use tg.rand_like",
    np.random.BitGenerator: "a separate random generator; use tg.rand_like",
    random.Random: "Python's random numbers; use tg.rand_like",
    io.IOBase: "a file",
    type(environ): "the environment",
    threading.local: "thread-local storage",
}


class Unguardable(Exception):
    """The step reads something that can change unnoticed."""


class Guards:
    """The checks of one recording. `leaves`: the Tensors that the recorded step has read."""

    def __init__(
        self,
        function: Callable[..., Any],
        executed: Codes,
        leaves: Iterable[Tensor],
    ) -> None:
        self._codes = dict.fromkeys(one.code for one in executed.values())
        self._numbers = {tensor: k for k, tensor in enumerate(leaves)}
        self._alive: list[Any] = [function]  # so that no id is reused while this is built
        self._seen: dict[int, Check] = {}
        self._namespaces: list[Namespace] = []
        self.arrays: list[Any] = []  # those that have a check
        self._visited: set[types.CodeType] = set()
        names = [names_in(code) for code in self._codes]
        self._attributes = frozenset({"__call__"}).union(*(n.attributes for n in names))
        self._dynamic = any(
            n.dynamic for c, n in zip(self._codes, names) if home_of(c.co_filename) in _OURS
        )
        self._leaves = len(self._numbers)
        self._root = self._check(function, "the step")
        for code, names_of_module in executed.values():
            if home_of(code.co_filename) == "user":
                self._read_globals(code, names_of_module)
        self._follow_all_closures()
        binding = self.bind(function, strict=True)
        if binding is None:
            raise Unguardable("it reads something that changes during the inspection")
        for tensor, k in self._numbers.items():
            if binding.leaves[k] is None:
                name = f"the tensor {tensor.name!r}" if tensor.name else "a tensor"
                raise Unguardable(f"it reads {name} {tensor.shape} from where none finds it again")
        del self._alive, self._seen, self._numbers, self._codes, self._visited

    def bind(
        self, function: Callable[..., Any], numbers: bool = False, strict: bool = False
    ) -> Binding | None:
        """The current Tensors for the leaves; None if anything else has changed.

        `numbers`: numbers may have changed. `strict`: no Tensor may have been replaced.
        """
        binding = Binding(self.leaves, numbers, strict)
        if not self._root.holds(function, binding):
            return None
        for namespace in self._namespaces:
            if not namespace.holds(binding):
                return None
        return binding

    @property
    def leaves(self) -> int:
        """How many Tensors the step reads."""
        return self._leaves

    # Following values

    def _check(self, value: Any, where: str) -> Check:
        """The check for a value and for everything that it contains."""
        if isinstance(value, _CONSTANTS) or value is MISSING:
            return Constant(value)
        if isinstance(value, int | float | np.generic):
            return Number(value, where)
        known = self._seen.get(id(value))
        if known is not None:
            return known
        self._alive.append(value)
        if len(self._alive) > MOST:
            raise Unguardable(f"it can read more than {MOST} values, for example {where}")
        self._seen[id(value)] = Same(value)  # for values that contain themselves
        made = self._seen[id(value)] = self._of_kind(value, where)
        return made

    def _of_kind(self, value: Any, where: str) -> Check:
        for kind, what in _NEVER.items():
            if isinstance(value, kind):
                raise Unguardable(f"it reads {what} ({where})")
        if isinstance(value, Tensor):
            return Leaf(value, self._numbers.get(value))
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                raise Unguardable(f"it reads an array of objects ({where})")
            self.arrays.append(value)
            return ArrayCheck(value)
        if isinstance(value, tuple | list | deque):
            return Items(value, [self._check(v, f"{where}[{k}]") for k, v in enumerate(value)])
        if isinstance(value, dict):
            return Entries(value, [self._check(v, f"{where}[{k!r}]") for k, v in value.items()])
        if isinstance(value, set | frozenset):
            if any(not isinstance(v, (*_CONSTANTS, int, float)) for v in value):
                raise Unguardable(f"it reads a set of objects ({where})")
            return Constant(type(value)(value))
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return Method(value, ("__func__", "__self__"), self._check)
        if isinstance(value, functools.partial):
            return Method(value, ("func", "args", "keywords"), self._check)
        if isinstance(value, ContextVar):
            return ContextCheck(value, self._check(value.get(MISSING), where))
        if isinstance(value, Primitive):
            self._check(value.value, where)
            return Same(value)
        if isinstance(value, type):
            self._class(value)
            return Same(value)
        if isinstance(value, types.BuiltinFunctionType) and (why := impure(value, False)):
            raise Unguardable(f"{why} ({where})")
        if isinstance(value, types.ModuleType):
            self._module(value)
        if isinstance(value, _OBJECTS) or _home(type(value)) in ("numpy", "engine"):
            return Same(value)
        return self._object(value, where)

    def _function(self, value: types.FunctionType) -> Check:
        if value.__code__ not in self._codes:
            return Same(value)
        self._visited.add(value.__code__)
        if home_of(value.__code__.co_filename) == "nn" and not value.__closure__:
            return Same(value)  # nobody changes the code of the library's own functions
        return Function(value, self._check)

    def _object(self, value: Any, where: str) -> Check:
        kind = type(value)
        if hasattr(kind, "__next__"):
            raise Unguardable(f"it reads an iterator, which each step advances ({where})")
        names = [*_slots(kind)]
        held = getattr(value, "__dict__", None)
        if held is None and not names and not _is_plain(kind):
            raise Unguardable(f"it reads {kind.__module__}.{kind.__name__} ({where})")
        found = Same(value)
        self._class(kind)
        refers, label = found.refers, f"{kind.__name__}."
        if names:
            space = Namespace(lambda: _Slots(refers()))
            for name in names:
                if self._is_read(name):
                    part = getattr(value, name, MISSING)
                    space.add(name, self._check(part, label + name))
            self._namespaces.append(space)
        if held is not None:
            self._namespace(_dict_of(refers), held, kind, label)
        return found

    def _namespace(self, read: Callable[[], Any], held: Any, kind: type | None, label: str) -> None:
        """Guard the names in `held` that the code reads; inherited names must stay absent."""
        space = Namespace(read)
        for name, part in list(held.items()):
            if self._is_read(name) and name not in _UNREAD:
                space.add(name, self._check(part, label + name))
        for name in self._attributes:
            inherited = kind is not None and name not in held and hasattr(kind, name)
            if inherited and not name.startswith("__"):
                space.add(name, Constant(MISSING))
        self._namespaces.append(space)

    def _class(self, kind: type) -> None:
        """Guard the code and data of an object, in each of its classes."""
        for base in kind.__mro__:
            if (id(base) in self._seen and base is not kind) or base.__flags__ & _IMMUTABLE:
                continue
            if _home(base) in ("numpy", "engine", "python"):
                continue
            self._seen.setdefault(id(base), Same(base))
            self._alive.append(base)
            self._namespace(
                _dict_of(weakref.ref(base)),
                {k: v for k, v in vars(base).items() if not k.startswith("__") or k == "__call__"},
                base.__mro__[1] if len(base.__mro__) > 1 else None,
                f"{base.__name__}.",
            )

    def _is_read(self, name: str) -> bool:
        return self._dynamic or name in self._attributes

    # Globals

    def _read_globals(self, code: types.CodeType, module: dict[str, Any]) -> None:
        space = Namespace(lambda: module)
        for name in names_in(code).imports:
            if name in sys.modules:
                self._check(sys.modules[name], name)
        for first, *rest in names_in(code).chains:
            value = module.get(first, MISSING)
            where = f"the global {first}"
            if value is MISSING:
                if not hasattr(builtins, first):
                    continue
                space.add(first, Constant(MISSING))
                value = getattr(builtins, first)
                if isinstance(value, types.BuiltinFunctionType) and (why := impure(value)):
                    raise Unguardable(why)
                continue
            if isinstance(value, types.ModuleType):
                space.add(first, Same(value))
                self._read_module(value, rest, first)
            else:
                space.add(first, self._check(value, where))
        self._namespaces.append(space)

    def _module(self, module: types.ModuleType) -> None:
        """Guard the names of a module that is not reached through a global."""
        if home_of(getattr(module, "__file__", None) or "<frozen") == "user":
            self._namespace(lambda: vars(module), vars(module), None, f"{module.__name__}.")

    def _read_module(self, module: types.ModuleType, names: list[str], path: str) -> None:
        """Guard what is read from a module: `settings.rate`, `np.random.rand`."""
        if not names:
            return
        name, *rest = names
        path = f"{path}.{name}"
        value = vars(module).get(name, MISSING)
        if isinstance(value, types.ModuleType):
            self._read_module(value, rest, path)
            return
        home = home_of(getattr(module, "__file__", None) or "<frozen")
        if home == "user":
            space = Namespace(lambda: vars(module))
            space.add(name, self._check(value, path))
            self._namespaces.append(space)
        elif callable(value):
            why = impure(value, unknown=False)
            if why is not None and not isinstance(value, types.FunctionType | type):
                raise Unguardable(f"{why} ({path})")
        elif isinstance(value, tuple(_NEVER)):
            self._check(value, path)

    # Closures

    def _follow_all_closures(self) -> None:
        """Whether every executed function with a closure was found: its cells are guarded."""
        nested = {id(part) for code in self._codes for part in _nested(code)}
        for code in self._codes:
            hidden = code.co_freevars and code not in self._visited and id(code) not in nested
            if hidden and home_of(code.co_filename) == "user":
                raise Unguardable(
                    f"{code.co_qualname} is called in a way that hides what it reads "
                    f"({', '.join(code.co_freevars)}), at {code.co_filename}:{code.co_firstlineno}"
                )


_OURS = ("user", "nn")
_UNREAD = ("_made_with", "__dict__", "__weakref__")
_IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: a class that cannot be changed


def _home(kind: type) -> str:
    module = kind.__module__
    if module.startswith("numpy"):
        return "numpy"
    if module.startswith(_PACKAGE):
        inner = module[len(_PACKAGE) :]
        return "nn" if inner.startswith(("nn.", "cells")) else "engine"
    return "python" if module in ("builtins", "abc", "typing", "types", "collections") else "user"


_PACKAGE = __name__.partition(".")[0] + "."


def _is_plain(kind: type) -> bool:
    """Whether objects of this class, made in Python, have nothing in them: `object()`."""
    return kind is object or kind.__basicsize__ <= object.__basicsize__ + 16


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield name


def _dict_of(refers: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: getattr(refers(), "__dict__", None)


class _Slots:
    """The slots of an object, as a mapping."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self.held, name, default)

    def __contains__(self, name: str) -> bool:
        return hasattr(self.held, name)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)
