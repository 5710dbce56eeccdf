"""Summary: the layers of a module as a table, with their shapes and numbers of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import pytree
from ..engine.recording.mode import no_grad
from ..engine.tensor import Tensor
from ..tables import html_table, text_table

__all__ = ["Summary", "summarized"]


@dataclass(frozen=True, repr=False)
class Summary:
    """A table of a module's parts, for `print` and for notebooks.

    `rows`: the name, shape and number of elements of each layer and each parameter; a parameter
    that two layers share is counted once. `parameters`: the number of elements in all; `learned`:
    of those that require a gradient; `bytes`: the memory they take, buffers included.

    >>> import tinygrad_rnn as tg
    >>> net = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 1))
    >>> net.summary()
    layer        shape   parameters
    Sequential                   21
      0: Linear                  16
        weight   (4, 3)          12
        bias     (4,)             4
      1: Tanh                     0
      2: Linear                   5
        weight   (1, 4)           4
        bias     (1,)             1
    21 parameters, 84 bytes
    >>> net.summary(tg.zeros(5, 3)).rows[1]
    ('  0: Linear', '(5, 4)', '16')
    """

    rows: tuple[tuple[str, str, str], ...]
    parameters: int
    learned: int
    bytes: int

    def __str__(self) -> str:
        return f"{text_table([_HEAD, *self.rows], right=[2])}\n{self._totals()}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table([_HEAD, *self.rows], right=[2]) + f"<div>{self._totals()}</div>"

    def _totals(self) -> str:
        fixed = self.parameters - self.learned
        held = f", {fixed:,} of them fixed" if fixed else ""
        return f"{self.parameters:,} parameters{held}, {_size(self.bytes)}"


_HEAD = ("layer", "shape", "parameters")


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def summarized(module: Any, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Summary:
    """See `Module.summary`."""
    outputs: dict[int, Any] = {}
    if inputs or keywords:
        with _recorded(module, outputs), no_grad():
            module(*inputs, **keywords)
    parameters = list(module.parameters())
    return Summary(
        rows=tuple(_rows(module, type(module).__name__, 0, outputs, set())),
        parameters=sum(p.size for p in parameters),
        learned=sum(p.size for p in parameters if p.requires_grad),
        bytes=sum(t._data.nbytes for t in [*parameters, *(b for _, b in module.named_buffers())]),
    )


def _rows(
    module: Any, name: str, depth: int, outputs: dict[int, Any], seen: set[int]
) -> Iterator[tuple[str, str, str]]:
    indent = "  " * depth
    if id(module) in seen:
        yield f"{indent}{name} (the same again)", "", ""
        return
    seen.add(id(module))
    count = sum(p.size for p in module.parameters())
    yield f"{indent}{name}", _shapes(outputs.get(id(module))), f"{count:,}"
    for part_name, part in module._parts():
        if isinstance(part, Tensor):
            shared = " (shared)" if id(part) in seen else ""
            seen.add(id(part))
            yield f"{indent}  {part_name}{shared}", str(part.shape), f"{part.size:,}"
        else:
            kind = f"{part_name}: {type(part).__name__}"
            yield from _rows(part, kind, depth + 1, outputs, seen)


def _shapes(output: Any) -> str:
    return ", ".join(str(leaf.shape) for leaf in pytree.leaves(output) if hasattr(leaf, "shape"))


@contextmanager
def _recorded(module: Any, outputs: dict[int, Any]) -> Iterator[None]:
    """Inside, the outputs of layers are recorded, except those of modules that run in a scan."""
    layers = list(_outside_scans(module))
    for layer in layers:
        object.__setattr__(layer, "forward", _keeping(layer, layer.forward, outputs))
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "forward")


def _outside_scans(module: Any) -> Iterator[Any]:
    """The module and all below it except cells, which a scan runs."""
    seen: set[int] = set()
    waiting = [module]
    while waiting:
        layer = waiting.pop()
        if id(layer) not in seen and "forward" not in vars(layer):
            seen.add(id(layer))
            yield layer
            children = [child for _, child in layer.named_children()]
            waiting += (child for child in children if not hasattr(type(child), "initial_state"))


def _keeping(
    layer: Any, forward: Callable[..., Any], outputs: dict[int, Any]
) -> Callable[..., Any]:
    def kept(*inputs: Any, **keywords: Any) -> Any:
        outputs[id(layer)] = result = forward(*inputs, **keywords)
        return result

    return kept
