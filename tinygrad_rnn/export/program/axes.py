"""The axes of a model's inputs by name: named axes may change their size after the export."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ... import pytree
from ...nn import GRU, LSTM, RNN, Cell, Module, Recurrent
from ..errors import ExportError

__all__ = ["argument_names", "default_axes", "named_axes", "sizes_of"]

Axes = Sequence[str | None]  # of one input; None: its size is fixed


def argument_names(model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """For each leaf of the arguments, the name of the parameter that it belongs to.

    >>> import tinygrad_rnn as tg
    >>> argument_names(tg.nn.LSTM(3, 4), [0.0, (1.0, 2.0)], {"lengths": 3})
    ['x', 'state', 'state', 'lengths']
    """
    function = type(model).forward if isinstance(model, Module) else model
    parameters = [*inspect.signature(function).parameters][isinstance(model, Module) :]
    parameters += [f"input_{k}" for k in range(len(parameters), len(args))]
    pairs = [*zip(parameters, args), *kwargs.items()]
    return [name for name, x in pairs for _ in pytree.leaves(x)]


def named_axes(
    axes: str | Sequence[str] | None, ranks: Sequence[int], names: Sequence[str], model: Any
) -> list[tuple[str | None, ...]]:
    """For each input the names of its axes: from `axes`, or the defaults of layers and cells.

    `axes`: for each input the names of its axes in order; `_` for an axis of fixed size. `names`:
    the arguments to which the inputs belong.

    >>> named_axes(["time batch _", "batch"], [3, 1], ["x", "lengths"], None)
    [('time', 'batch', None), ('batch',)]
    """
    if axes is None:
        return [default_axes(model, *pair, first=not k) for k, pair in enumerate(zip(ranks, names))]
    texts = [axes] if isinstance(axes, str) else [*axes]
    found = [tuple(None if word == "_" else word for word in text.split()) for text in texts]
    if [len(each) for each in found] != [*ranks]:
        raise ExportError(
            f"axes={axes!r} for inputs of {', '.join(map(str, ranks))} axes: give one string per "
            "input and one word per axis, such as 'time batch _'"
        )
    return found


def default_axes(model: Any, rank: int, name: str, *, first: bool) -> tuple[str | None, ...]:
    """The axes of an input as in layers: (T, B, ...), or (B, ...) without a sequence.

    >>> import tinygrad_rnn as tg
    >>> default_axes(tg.nn.LSTM(3, 4), 3, "x", first=True)
    ('time', 'batch', None)
    >>> default_axes(tg.nn.Linear(3, 4), 2, "x", first=True)
    ('batch', None)
    """
    layer = _layer(model)
    leading: tuple[str | None, ...] = ("batch",)
    if layer is not None and model is layer and first and rank == 2:
        leading = ("time",)  # one sequence, without a batch
    elif layer is not None and rank > 1 and name == "state":
        stacked = isinstance(layer, RNN | LSTM | GRU)  # (num_layers * directions, B, ...)
        leading = (None, "batch") if stacked else ("batch",)
    elif layer is not None and rank > 1 and name != "constants":
        leading = ("batch", "time") if layer.batch_first else ("time", "batch")
    return (leading + (None,) * rank)[:rank]


def _layer(model: Any) -> Recurrent | None:
    if isinstance(model, Cell) or not isinstance(model, Module):
        return None
    return next((m for m in model.modules() if isinstance(m, Recurrent)), None)


def sizes_of(
    shapes: Sequence[Sequence[Any]],
    axes: Sequence[Axes],
    known: Sequence[Sequence[int]] | None = None,
) -> Mapping[str, Any]:
    """The sizes of named axes in inputs of these shapes. ExportError if they do not fit.

    `known`: the shapes that the fixed sizes come from.
    """
    found: dict[str, Any] = {}
    for number, (shape, names, fixed) in enumerate(zip(shapes, axes, known or shapes, strict=True)):
        for axis, (size, name, usual) in enumerate(zip(shape, names, fixed, strict=True)):
            if name is None:
                fits, expected = size == usual, usual
            else:
                expected = found.setdefault(name, size)
                fits = expected == size
            if not fits:
                raise ExportError(
                    f"axis {axis} of input {number} has size {size}, expected {expected}"
                    + (f", which {name!r} is elsewhere" if name else "")
                )
    return found
