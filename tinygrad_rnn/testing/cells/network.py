"""Cells and layers in the one form that the laws run: sequences (T, B, ...).

A layer's options determine which laws do not apply to it; nothing here depends on the cell.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import ops, pytree
from ...engine.recording.mode import current_mode
from ...nn import Cell, Recurrent
from ...nn.recurrent.run import run

if TYPE_CHECKING:
    from ...engine.tensor import Tensor
    from ...nn import Module

__all__ = ["Network", "OneStep", "network_of"]


_NONE: Mapping[str, Any] = {}


class OneStep(NamedTuple):
    """A parameter that only one step uses."""

    name: str
    step: int
    parameter: Tensor


class Network:
    """A cell, run over whole sequences."""

    def __init__(self, module: Any) -> None:
        self.module = module

    @property
    def cell(self) -> Cell:
        """The cell that runs, or the first of several."""
        cell: Cell = self.module
        return cell

    def limits(self, steps: int) -> dict[str, str]:
        """What restricts the laws in a run of that many steps: nothing, for a cell."""
        return {}

    def start(self, rows: int) -> Any:
        """The network's own initial state; each leaf (rows, ...)."""
        return self.cell.initial_state(rows)

    def run(
        self,
        x: Tensor,
        state: Any = None,
        *,
        unrolled: bool = False,
        reverse: bool = False,
        lengths: Any = None,
        inputs: Mapping[str, Any] = _NONE,
        constants: Mapping[str, Any] = _NONE,
    ) -> tuple[Tensor, Any]:
        """Outputs (T, B, ...) and the last state, for x (T, B, I), from `state` or its own."""
        state = self.start(x.shape[1]) if state is None else state
        args = self.cell, x, state, inputs, constants
        return run(*args, unrolled=unrolled, reverse=reverse, lengths=lengths)

    def order(self, parts: int) -> Iterable[int]:
        """The parts of a sequence in the order in which they are run."""
        return range(parts)

    def unshared(self, steps: int) -> tuple[Network, list[OneStep]]:
        """The network with separate parameters at each step, and these parameters."""
        cell = _Unshared(self.cell, steps)
        return Network(cell), list(cell.parameters_by_step())


class _Layer(Network):
    """A layer: stacked, bidirectional, reversed, `batch_first`, ..."""

    @property
    def cell(self) -> Cell:
        """The cell of the first layer; the others are its siblings."""
        first: Cell = self.module.cells[0]
        return first

    def limits(self, steps: int) -> dict[str, str]:
        """The options that limit what a law can require, each with its effect."""
        layer, found = self.module, {}
        if layer.bidirectional:
            found["both ways"] = "bidirectional: an output depends on later steps, too"
        if layer.dropout and layer.training and layer.num_layers > 1:
            found["dropout"] = (
                f"dropout={layer.dropout} draws random numbers for whole sequences; the law would "
                "apply in eval()"
            )
        if layer.truncate and steps > layer.truncate:
            found["truncate"] = f"truncate={layer.truncate} cuts gradients, as intended"
        if layer.truncate and (layer.reverse or layer.bidirectional):
            found["blocks from the end"] = (
                f"truncate={layer.truncate} counts its blocks from the end of the padding"
            )
        return found

    def start(self, rows: int) -> Any:
        """The initial states of the layer's cells; each leaf (rows, ...)."""
        return [cell.initial_state(rows) for cell in self.module._cells.values()]

    def run(
        self,
        x: Tensor,
        state: Any = None,
        *,
        unrolled: bool = False,
        reverse: bool = False,
        lengths: Any = None,
        inputs: Mapping[str, Any] = _NONE,
        constants: Mapping[str, Any] = _NONE,
    ) -> tuple[Tensor, Any]:
        """As for a cell; `reverse`: in the direction opposite to the layer's own."""
        own = self.start(x.shape[1])
        state = state if state is None else self.module._packed(state)
        if self.module.batch_first:
            x, inputs = pytree.map(_rows_first, (x, dict(inputs)))
        with _options(self.module, unroll=unrolled, reverse=self.module.reverse != reverse):
            outputs, last = self.module(x, state, lengths, constants=constants, **inputs)
        outputs = _rows_first(outputs) if self.module.batch_first else outputs
        return outputs, self.module._unpacked(last, own)

    def order(self, parts: int) -> Iterable[int]:
        """As for a cell; from the last part on with `reverse`."""
        return reversed(range(parts)) if self.module.reverse else range(parts)

    def unshared(self, steps: int) -> tuple[Network, list[OneStep]]:
        """As for a cell, for every cell of the layer."""
        layer = copy.deepcopy(self.module)
        parameters: list[OneStep] = []
        for place, cell in layer._cells.items():
            layer._cells[place] = unshared = _Unshared(cell, steps)
            parameters += unshared.parameters_by_step(f"_{place}")
        return _Layer(layer), parameters


class _Unshared(Cell):
    """A cell with separate parameters at each step."""

    def __init__(self, cell: Cell, steps: int) -> None:
        self._cell, self._name = cell, cell._name
        self._copies = [copy.deepcopy(cell) for _ in range(steps)]
        self.output_size, self.feature_axis = cell.output_size, cell.feature_axis

    def advance(self, x: Any, state: Any = None, **inputs: Any) -> tuple[Any, Any]:
        place = current_mode().scope
        assert place is not None and place.step is not None, "run() says which step it is"
        return self._copies[place.step].advance(x, state, **inputs)

    def initial_state(self, batch_size: int) -> Any:
        # That of a copy, whose parameters have the precision of the numbers in use.
        return (self._copies or [self._cell])[0].initial_state(batch_size)

    def step_inputs(self) -> dict[str, bool]:
        return self._cell.step_inputs()

    def parameters_by_step(self, suffix: str = "") -> Iterator[OneStep]:
        for step, cell in enumerate(self._copies):
            for name, parameter in cell.named_parameters():
                parameter.name = f"{name}{suffix} at step {step}"
                yield OneStep(name + suffix, step, parameter)


def network_of(module: Module) -> Network:
    """The module in the form that the laws run. TypeError if it is neither a cell nor a layer."""
    if isinstance(module, Recurrent):
        return _Layer(module)
    if isinstance(module, Cell):
        return Network(module)
    raise TypeError(
        f"check_cell takes an nn.Cell or a layer (nn.Recurrent), not {type(module).__name__}"
    )


@contextmanager
def _options(layer: Recurrent, **options: Any) -> Iterator[None]:
    """Some of the layer's options changed, inside."""
    before = {name: getattr(layer, name) for name in options}
    vars(layer).update(options)
    try:
        yield
    finally:
        vars(layer).update(before)


def _rows_first(leaf: Tensor) -> Tensor:
    """The first two axes swapped; its own inverse."""
    exchanged: Tensor = ops.swapaxes(leaf, 0, 1)
    return exchanged
