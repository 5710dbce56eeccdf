"""The cells of a layer by layer and direction: siblings of one cell, or different cells."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ..module import Module
from .cell import Cell

__all__ = ["check_cells", "check_residual", "placed"]


def check_cells(given: Any) -> None:
    """TypeError if it is neither a cell nor a sequence of cells, with what was probably meant."""
    several = isinstance(given, Collection) and not isinstance(given, str | Cell)
    wrong = [cell for cell in (given if several else [given]) if not isinstance(cell, Cell)]
    if not wrong:
        return
    found = wrong[0]
    if isinstance(found, type):
        meant = f"the class {found.__name__}"
        if issubclass(found, Cell):
            meant += f"; pass an instance, Recurrent({found.__name__}(...))"
    elif isinstance(found, Module):
        meant = f"the module {type(found).__name__}, which is not a cell"
        if hasattr(found, "cells"):
            meant = f"the layer {type(found).__name__}, which runs its own cells: call it directly"
    else:
        meant = f"{found!r}"
    raise TypeError(
        f"Recurrent runs a cell, or one cell for each layer in a list; got {meant}. A cell is an "
        "nn.Cell whose forward(x, state) returns the next state"
    )


def placed(
    cells: Cell | Sequence[Cell], num_layers: int, bidirectional: bool, skip: bool = False
) -> dict[str, Cell]:
    """The cells by layer and direction: l0, l0_reverse, l1, ...

    Given one cell, those of further layers and of the other direction are its siblings. Given a
    sequence, each cell is a layer. `skip`: a layer takes the features of x beside those of the
    layer below. ValueError if their number is not `num_layers`, or if an `input_size` is not what
    a layer is given.
    """
    stack = None if isinstance(cells, Cell) else list(cells)
    if (stack is not None and num_layers not in (1, len(stack))) or stack == []:
        raise ValueError(f"num_layers={num_layers} for a stack of {len(stack or ())} cells")
    directions = ("", "_reverse") if bidirectional else ("",)
    found: dict[str, Cell] = {}
    below: int | None = None
    beside, of_x = 0, ""  # the features of x, for a layer with another below
    for layer in range(num_layers if stack is None else len(stack)):
        if stack is not None:
            cell = stack[layer]
            size = getattr(cell, "input_size", None)
            if below is not None and isinstance(size, int) and size != below:
                raise ValueError(
                    f"layer {layer}, {type(cell).__name__}, takes {size} features, and layer "
                    f"{layer - 1}{of_x} gives {below}"
                )
        elif below is None:
            assert isinstance(cells, Cell)
            cell = cells
        else:
            cell = cell.sibling(below)
        for direction in directions:
            cell = cell.sibling() if direction else cell
            cell._name = f"l{layer}{direction}"
            found[cell._name] = cell
        if layer + 1 < (num_layers if stack is None else len(stack)):
            if skip and layer == 0:
                beside, of_x = _input_size(cell), " with x"
            below = cell.output_size * len(directions) + beside
    return found


def _input_size(cell: Cell) -> int:
    """How many features a cell takes. ValueError if it does not say."""
    size = getattr(cell, "input_size", None)
    if not isinstance(size, int):
        raise ValueError(
            f"skip=True gives the features of x to every layer, and {type(cell).__name__} does not "
            "say how many it takes: set self.input_size in __init__"
        )
    return size


def check_residual(cells: Sequence[Cell]) -> None:
    """ValueError if the outputs of two layers differ in size and so cannot be added."""
    sizes = {cell.output_size for cell in cells}
    if len(sizes) > 1:
        raise ValueError(
            "residual=True adds each layer's output to the one of the layer below, so all are of "
            f"one size; here they are {', '.join(map(str, sorted(sizes)))}"
        )
