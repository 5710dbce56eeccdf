"""Reductions inside a compiled loop: sums, extremes and their positions, sorting, einsum.

NumPy's own function gives the shape and dtype of each result. The text has a line per element.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import LoopArray, Writer
from .expressions import type_name

__all__ = ["REDUCTIONS"]

MOST_SORTED = 128  # with more elements NumPy is faster: here each is compared with every other

_JOINED = {  # how a result combines with the next element
    np.sum: "add_up(<0>, {})",
    np.mean: "add_up(<0>, {})",
    np.prod: "<0> * {}",
    np.max: "maximum(<0>, {})",
    np.min: "minimum(<0>, {})",
}


def _form(function: Any, x: LoopArray, **keywords: Any) -> Any:
    """A result of the function, only for its shape and dtype."""
    return np.asarray(function(np.zeros(x.shape, x.dtype), **keywords))


def _first(function: Any, dtype: np.dtype[Any]) -> Any:
    """The initial value of a reduction."""
    if function in (np.sum, np.mean, np.prod):
        return int(function is np.prod)
    smallest = function is np.max
    if dtype.kind == "f":
        return -math.inf if smallest else math.inf
    if dtype.kind == "b":
        return not smallest
    return np.iinfo(dtype).min if smallest else np.iinfo(dtype).max


def _reduced(function: Any) -> Callable[..., LoopArray]:
    def reduce(
        writer: Writer, x: LoopArray, axis: Any = None, keepdims: bool = False, initial: Any = None
    ) -> LoopArray:
        kept = _form(function, x, axis=axis, keepdims=True)
        first = _first(function, kept.dtype) if initial is None else initial
        out = writer.filled(kept.shape, kept.dtype, first)
        kind = type_name(kept.dtype)
        writer.each(out, f"<0> = {_JOINED[function].format(f'{kind}(<1>)')}", x)
        if function is np.mean:
            writer.each(out, f"<0> = <0> / {kind}({float(x.size // max(out.size, 1))!r})")
        return out if keepdims else out.reshape(_form(function, x, axis=axis).shape)

    return reduce


def _place_of(function: Any, better: str) -> Callable[..., LoopArray]:
    """argmax and argmin: the first extreme, or the first NaN."""
    extreme = np.max if function is np.argmax else np.min

    def find(
        writer: Writer, x: LoopArray, axis: int | None = None, keepdims: bool = False
    ) -> LoopArray:
        kept = _form(function, x, axis=axis, keepdims=True)
        if axis is None:  # in the order of elements, whatever the axes
            places = writer.known(np.arange(x.size).reshape(x.shape))
        else:
            behind = (None,) * (x.ndim - 1 - axis % x.ndim)
            places = writer.known(np.arange(x.shape[axis])[(..., *behind)])
        out = writer.filled(kept.shape, np.int64, 0)
        best = writer.filled(kept.shape, x.dtype, _first(extreme, x.dtype))
        text = f"better = (<1> {better} <2>) | ((<1> != <1>) & (<2> == <2>))\n"
        text += "<0> = where(better, <3>, <0>)\n<2> = where(better, <1>, <2>)"
        writer.each(out, text, x, best, places)
        return out if keepdims else out.reshape(_form(function, x, axis=axis).shape)

    return find


def _running_sum(writer: Writer, x: LoopArray, axis: int) -> LoopArray:
    form = _form(np.cumsum, x, axis=axis)
    out = writer.room(form.shape, form.dtype)
    writer.copy(x, out)
    before, after = (
        out.seen(np.moveaxis(np.moveaxis(out.array, axis, 0)[part], 0, axis))
        for part in (slice(None, -1), slice(1, None))
    )
    return out if not after.size else _added(writer, after, before, out)


def _added(writer: Writer, x: LoopArray, y: LoopArray, whole: LoopArray) -> LoopArray:
    writer.each(x, "<0> = <0> + <1>", y)
    return whole


def _in_order(writer: Writer, x: LoopArray, axis: int, kind: str) -> LoopArray:
    """argsort, stable: an element's place is the number of elements that come before it."""
    lines = np.moveaxis(x.array, axis, -1)
    if lines.shape[-1] > MOST_SORTED:
        raise NotImplementedError("sorting so many elements")
    places = np.arange(lines.shape[-1], dtype=np.int32)
    one, other = x.seen(lines[..., :, None]), x.seen(lines[..., None, :])
    rank = writer.filled(lines.shape, np.int32, 0)
    text = "both = (<1> == <2>) | ((<1> != <1>) & (<2> != <2>))\n"
    text += "before = (<2> < <1>) | ((<1> != <1>) & (<2> == <2>)) | (both & (<4> < <3>))\n"
    text += "<0> = <0> + int32(before)"
    mine, its = writer.known(places[:, None]), writer.known(places)
    writer.each(rank.seen(rank.array[..., None]), text, one, other, mine, its)
    out = writer.room(lines.shape, np.int64)
    out[(*np.ix_(*map(np.arange, lines.shape))[:-1], rank)] = its
    return out.seen(np.moveaxis(out.array, -1, axis))


def _einsum(
    writer: Writer, subscripts: str, *operands: LoopArray, optimize: bool = False
) -> LoopArray:
    """Two factors at a time, in the order that NumPy finds best."""
    terms, arrow, output = subscripts.partition("->")
    if not arrow or "." in subscripts:
        raise NotImplementedError("subscripts that leave something out")
    factors = list(zip(terms.split(","), operands, strict=True))
    while len(factors) > 2:
        now = ",".join(term for term, _ in factors) + "->" + output
        shapes = [np.broadcast_to(0.0, x.shape) for _, x in factors]
        pair = np.einsum_path(now, *shapes, optimize="greedy")[0][1]
        chosen = [factors.pop(k) for k in sorted(pair, reverse=True)]
        needed = output + "".join(term for term, _ in factors)
        letters = "".join(dict.fromkeys("".join(term for term, _ in chosen)))
        part = "".join(letter for letter in letters if letter in needed)
        factors.append((part, _product(writer, chosen, part)))
    return _product(writer, factors, output)


def _product(writer: Writer, factors: list[tuple[str, LoopArray]], output: str) -> LoopArray:
    sizes = {letter: n for term, x in factors for letter, n in zip(term, x.shape, strict=True)}
    letters = output + "".join(letter for letter in sizes if letter not in output)
    dtype = np.result_type(*(x.dtype for _, x in factors))
    out = writer.filled([sizes[letter] for letter in output], dtype, 0)
    seen = [x.seen(_along(x.array, term, letters)) for term, x in factors]
    kind = type_name(dtype)
    texts = [f"{kind}(<{k}>)" for k in range(1, len(factors) + 1)]
    total = out.seen(_along(out.array, output, letters))
    writer.each(total, f"<0> = add_up(<0>, {' * '.join(texts)})", *seen)
    return out


def _along(array: Any, term: str, letters: str) -> Any:
    """A factor with an axis for each letter; axes that it lacks have size 1."""
    own = "".join(letter for letter in letters if letter in term)
    if term != own:
        array = np.einsum(f"{term}->{own}", array)  # a view, too
    return array[(*(slice(None) if letter in term else None for letter in letters), ...)]


REDUCTIONS: dict[Any, Callable[..., LoopArray]] = {
    **{function: _reduced(function) for function in _JOINED},
    np.argmax: _place_of(np.argmax, ">"),
    np.argmin: _place_of(np.argmin, "<"),
    np.argsort: _in_order,
    np.cumsum: _running_sum,
    np.einsum: _einsum,
}
