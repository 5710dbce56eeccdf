"""Reads: which values a gradient rule looks at, so that only these are watched for changes.

A rule is any callable, so it is run once, on *probes*: stand-ins for arrays that note when their
content is used. A shape or a dtype is not content. Where the run tells too little, because the
rule branches on content or fails on a probe, the rule is taken to read everything.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn

import numpy as np

__all__ = ["OUTPUT", "check_not_traced", "signature", "values_read"]

OUTPUT = -1  # the output's place among the positions of the inputs
_GRADIENT = -2


class Untraceable(Exception):
    """A gradient rule did what a trace cannot follow. `values_read` catches it."""


class _Trace:
    """One run of a rule: what it has read so far, and whether that tells all that it may read."""

    def __init__(self) -> None:
        self.read: set[int] = set()
        self.complete = True

    def refuse(self, why: str) -> NoReturn:
        """Give up; remembered, in case the rule catches the exception."""
        self.complete = False
        raise Untraceable(why)


_TRACE: ContextVar[_Trace | None] = ContextVar("tinygrad_rnn.reads", default=None)


def check_not_traced(what: str) -> None:
    """For what must not happen in a trace, such as drawing random numbers: gives the trace up."""
    trace = _TRACE.get()
    if trace is not None:
        trace.refuse(what)


def values_read(
    rule: Callable[..., Any], out: Any, inputs: Sequence[Any], attributes: dict[str, Any]
) -> frozenset[int]:
    """The positions of the inputs that `rule(grad, out, *inputs, **attributes)` reads.

    `OUTPUT` if it reads the output. Nothing is written into the arrays.

    >>> x, y = np.ones(2), np.ones(2)
    >>> sorted(values_read(lambda grad, out, x, y: grad * y + out.size, x * y, [x, y], {}))
    [1]
    """
    trace = _Trace()
    grad = tuple(map(_ones, out)) if isinstance(out, tuple) else _ones(out)
    arguments = [
        _probe(value, trace, position)
        for position, value in enumerate([grad, out, *inputs], start=_GRADIENT)
    ]
    token = _TRACE.set(trace)
    try:
        with np.errstate(all="ignore"):
            rule(*arguments, **attributes)
    except Exception:  # also one that the rule will raise again in the backward pass
        trace.complete = False
    finally:
        _TRACE.reset(token)
    if not trace.complete:
        return frozenset(range(OUTPUT, len(inputs)))
    return frozenset(trace.read - {_GRADIENT})


def _ones(out: Any) -> Any:
    return np.broadcast_to(np.ones((), out.dtype), out.shape)


def _probe(value: Any, trace: _Trace, position: int) -> Any:
    if isinstance(value, tuple):  # of several outputs
        return tuple(_probe(part, trace, position) for part in value)
    if not isinstance(value, np.ndarray):
        return value
    content = value.view()
    content.flags.writeable = False
    return Probe(content, trace, position)


class Probe(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for an array in a trace; what is computed from it is a probe as well.

    `position` says which argument of the rule it is; None for what was computed.
    """

    def __init__(self, content: Any, trace: _Trace, position: int | None) -> None:
        self._content = content
        self._trace = trace
        self._position = position
        self.shape, self.dtype, self.ndim = content.shape, content.dtype, content.ndim
        self.size, self.itemsize, self.nbytes = content.size, content.itemsize, content.nbytes

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return np.ndarray  # so that `isinstance` says what it will say of the real array

    def __len__(self) -> int:
        return len(self._content)

    # What uses the content

    def _use(self) -> Any:
        if self._position is not None:
            self._trace.read.add(self._position)
        return self._content

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self._derived(getattr(ufunc, method)(*_used(inputs), **_used(kwargs)))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in _FORM_OF_ALL:
            return function(*_used(args, _form), **_used(kwargs, _form))
        if function in _FORM_OF_FIRST and args:
            result = function(_form(args[0]), *_used(args[1:]), **_used(kwargs))
            return self._derived(result) if isinstance(result, np.ndarray) else result
        return self._derived(function(*_used(args), **_used(kwargs)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._use(), dtype=dtype, copy=copy)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of a protocol that would hand out the memory itself
            raise AttributeError(name)
        attribute = getattr(self._content, name)
        self._use()
        if not callable(attribute):
            return self._derived(attribute)
        return lambda *args, **kwargs: self._derived(attribute(*_used(args), **_used(kwargs)))

    def __getitem__(self, key: Any) -> Any:
        return self._derived(self._use()[_used(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._content[_used(key)] = _used(value)  # read-only in an argument of the rule

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def _derived(self, result: Any) -> Any:
        """What was computed from content, numbers included: a branch on it is a branch on data."""
        if isinstance(result, tuple | list):
            return type(result)(map(self._derived, result))
        if isinstance(result, np.ndarray | np.generic | int | float | complex):
            return Probe(np.asarray(result), self._trace, None)
        return result

    def _branch(self, *_: Any) -> NoReturn:
        self._trace.refuse("what the rule does depends on the content of an array")

    __bool__ = __int__ = __float__ = __complex__ = __round__ = __contains__ = _branch


# NumPy functions that ask for a shape or a dtype: of their first argument, or of all.
_FORM_OF_FIRST = {
    *(np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj),
    *(np.zeros_like, np.ones_like, np.empty_like, np.full_like),
}
_FORM_OF_ALL = {np.result_type, np.common_type, np.can_cast}


def _form(x: Any) -> Any:
    return x._content if type(x) is Probe else x


def _content(x: Any) -> Any:
    return x._use() if type(x) is Probe else x


def _used(x: Any, of: Callable[[Any], Any] = _content) -> Any:
    """`x`, and what is nested in it, with the content in place of probes."""
    if type(x) in (tuple, list):
        return type(x)(_used(part, of) for part in x)
    if type(x) is dict:
        return {name: _used(part, of) for name, part in x.items()}
    if type(x) is slice:
        return slice(_used(x.start, of), _used(x.stop, of), _used(x.step, of))
    return of(x)


def signature(x: Any) -> Hashable:
    """A key for what a rule may branch on: the form of arrays, and numbers, text and nests of them.

    TypeError for objects of other kinds, of which nothing is known.

    >>> signature((np.zeros((2, 3)), 1)) == signature((np.ones((2, 3)), 1))
    True
    """
    kind = type(x)
    if kind is np.ndarray:
        return x.shape, x.dtype
    if kind in _BY_VALUE:
        return kind, x
    if kind in (tuple, list):
        return kind, *map(signature, x)
    if kind is dict:
        return kind, *((name, signature(part)) for name, part in x.items())
    if kind is slice:
        return slice, signature(x.start), signature(x.stop), signature(x.step)
    if isinstance(x, np.generic | np.dtype | type):
        return kind, x
    raise TypeError(f"no signature for {kind.__name__}")


_BY_VALUE = frozenset((int, float, bool, complex, str, type(None), type(...)))
