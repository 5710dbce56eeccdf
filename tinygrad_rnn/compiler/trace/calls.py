"""Calls that leave a step: what it reads and does besides applying ops, found by a profile hook.

A step can be replaced by a program if everything it calls belongs to this package or NumPy, is a
pure builtin, or is Python code whose reads the guards can check. The recording is refused if the
step calls anything else (files, clocks, the environment, other libraries' random numbers, opaque
extensions) or reads a tensor's elements.
"""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...engine.autograd import propagate
from ...engine.dtypes import as_array
from ...engine.op import Op, op
from ...engine.recording.node import Node
from ...engine.recording.scope import PACKAGE_FOLDER
from ...engine.tensor import Tensor
from ...ops import generator

__all__ = ["CallMonitor", "Codes", "Executed", "detached", "home_of", "impure"]


class _Record(Protocol):
    paused: bool

    def refuse(self, reason: str) -> None: ...
    def depends_on_data(self, x: Node) -> bool: ...
    def forward(self, op: Any, node: Node, inputs: Any, attributes: Any) -> None: ...


class Executed(NamedTuple):
    """Python code that has run, and the globals that it read."""

    code: CodeType
    names: dict[str, Any]


Codes = dict[tuple[int, int], Executed]
"""By the ids of the two: equal code, of a file that was imported twice, has other globals."""


class CallMonitor:
    """Watches the calls of this thread while entered. `codes`: the Python code that has run."""

    def __init__(self, record: _Record) -> None:
        self._record = record
        self.codes: Codes = {}
        # Nearly all calls are those of a few functions again and again.
        self._known: Codes = {}
        self._pure: set[Any] = set()

    def __enter__(self) -> None:
        self._profiler: Any = sys.getprofile()
        sys.setprofile(self._event)

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        if callable(self._profiler):
            sys.setprofile(self._profiler)
        elif self._profiler is not None:  # cProfile
            self._profiler.enable()

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._record.paused:
            return
        code = frame.f_code
        if event == "call":
            if (id(code), id(frame.f_globals)) not in self._known:
                self._called(frame, code)
        elif event == "c_call":
            self._calls(argument, frame)
        elif event == "return" and code is _DETACH and argument is not None:
            self._record.forward(detached, argument, (frame.f_locals["self"],), {})

    def _called(self, frame: FrameType, code: CodeType) -> None:
        if code in _READS:
            self._read(frame, _READS[code])
        elif code is generator.__code__:
            self._draws(frame)
        else:
            key, executed = (id(code), id(frame.f_globals)), Executed(code, frame.f_globals)
            self._known[key] = executed
            if _home(frame) not in ("numpy", "engine"):
                self.codes[key] = executed

    def _read(self, frame: FrameType, what: str) -> None:
        given = [x for x in frame.f_locals.values() if isinstance(x, Node)]
        if what in _ALWAYS or any(map(self._record.depends_on_data, given)):
            self._record.refuse(f"data-dependent access to a traced tensor ({what})")

    def _draws(self, frame: FrameType) -> None:
        caller = frame.f_back
        while caller is not None and caller.f_code is not _APPLY:
            caller = caller.f_back
        if caller is None or caller.f_locals["self"].traits.pure:
            self._record.refuse(
                "random numbers are drawn by something that is not an op; use tg.rand_like"
            )

    def _calls(self, function: Any, frame: FrameType) -> None:
        """Note a call of a C function: of a module's or a class's, or of a method of an object."""
        holder = getattr(function, "__self__", None)
        alone = holder is None or isinstance(holder, ModuleType | type)
        key = function if alone else (type(holder), function.__name__)
        if key in self._pure:
            return
        if impure(function) is None:
            self._pure.add(key)
        elif reason := impure(function, unknown=_home(frame) == "user"):
            self._record.refuse(reason)


@op(elementwise=True, differentiable=False)
def detached(x: Any) -> Any:
    """The same value, with no gradient through it."""
    return x


detached.name = "detach"
_DETACH = Tensor.detach.__code__
_APPLY = Op.__call__.__code__
_GRADIENT = "a gradient is taken inside the step"
_ASSIGNED = "its elements are assigned; use tg.index_update"
_IN_PLACE = "it is changed in place; use `t = t + u`"
_ALWAYS = (_GRADIENT, _ASSIGNED, _IN_PLACE)  # for any tensor
_READS = {
    Tensor.data.fget.__code__: "its .data is read",  # type: ignore[attr-defined]
    Tensor.data.fset.__code__: "its .data is replaced",  # type: ignore[attr-defined]
    Tensor.numpy.__code__: "numpy() reads its elements",
    Tensor.item.__code__: "item() reads its element",
    Tensor.tolist.__code__: "tolist() reads its elements",
    Tensor.__array__.__code__: "NumPy reads its elements as an array",
    Tensor.__bool__.__code__: "its truth value is read, as by `if`; use tg.where",
    Tensor.__float__.__code__: "float() reads its element",
    Tensor.__int__.__code__: "int() reads its element",
    Tensor.__index__.__code__: "its element is used as a Python index",
    Tensor.__repr__.__code__: "it is printed",
    Tensor.__reduce__.__code__: "it is copied or pickled; use tg.copy",
    Tensor.__setitem__.__code__: _ASSIGNED,
    Tensor._update.__code__: _IN_PLACE,
    Tensor.register_hook.__code__: "a hook is registered",
    Tensor.retain_grad.__code__: "its gradient is retained",
    Tensor.grad.fget.__code__: "its .grad is read",  # type: ignore[attr-defined]
    as_array.__code__: "a tensor is created from its elements",
    propagate.__code__: _GRADIENT,
}

# Whose code it is


@cache
def home_of(file: str) -> str:
    """ "engine" for this package but for its networks, "nn", "numpy", "python" or "user"."""
    if file.startswith(PACKAGE_FOLDER):
        inner = file[len(PACKAGE_FOLDER) + 1 :]
        return "nn" if inner.startswith(_NETWORKS) else "engine"
    if file.startswith(_NUMPY):
        return "numpy"
    if file.startswith("<frozen") or (file.startswith(_STDLIB) and "site-packages" not in file):
        return "python"
    return "user"


def _home(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    if file.startswith("<") and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        return "engine"  # such as the __init__ of a dataclass
    if file.startswith("<") and str(frame.f_globals.get("__name__")).startswith("namedtuple_"):
        return "python"
    return home_of(file)


_NETWORKS = ("nn", "cells", "analysis")  # their step functions read cells from their closures
_PACKAGE = __name__.partition(".")[0] + "."
_NUMPY = str(np.__file__).rpartition("__init__")[0]
_ZIPPED = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
# A folder or, in Pyodide and embedded Python, an archive on the path.
_STDLIB = (sysconfig.get_paths()["stdlib"], *(p for p in sys.path if p.endswith(_ZIPPED)))

# Functions written in C: whether they are pure

_PURE = {
    "_abc", "_bisect", "_collections", "_functools", "_heapq", "_operator", "_string", "_struct",
    "_typing", "_weakref", "_contextvars", "builtins", "cmath", "collections", "copyreg",
    "functools", "itertools", "math", "operator", "re", "types", "_thread", "weakref",
}  # fmt: skip
_ACTING = {"print", "input", "open", "breakpoint"}
_IMPURE = {
    "_asyncio", "_datetime", "_io", "_queue", "_random", "_socket", "datetime", "io", "nt",
    "numpy.random", "posix", "random", "secrets", "select", "time", "uuid", "_uuid",
}  # fmt: skip
_WRITING = {"tofile", "dump", "set", "reset"}  # methods of ndarrays and of context variables


def impure(function: Any, unknown: bool = True) -> str | None:
    """Why a call of this C function cannot be omitted; None if it can.

    `unknown`: whether unknown functions count as impure.
    """
    name = getattr(function, "__name__", type(function).__name__)
    holder = getattr(function, "__self__", None)
    if holder is None or isinstance(holder, type(sys)):
        home = getattr(function, "__module__", None) or ""
        owner = getattr(function, "__objclass__", None)
        home = owner.__module__ if owner is not None else home
    else:
        kind = holder if isinstance(holder, type) else type(holder)
        home = kind.__module__
        name = f"{kind.__name__}.{name}"
        if name.rpartition(".")[2] in _WRITING and home in ("numpy", "builtins", "_contextvars"):
            if unknown and not isinstance(holder, set):
                return f"{name}() has an effect outside the step"
    if home == "builtins":
        return f"{name}() has an effect outside the step" if name in _ACTING else None
    if any(home == known or home.startswith(f"{known}.") for known in _IMPURE):
        return f"{home.lstrip('_')}.{name}() can differ from call to call"
    if home in _PURE or home.split(".")[0] == "numpy" or not unknown:
        return None
    return f"{home}.{name}() is an extension unknown to the compiler"
