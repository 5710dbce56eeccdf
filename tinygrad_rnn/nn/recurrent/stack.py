"""The cells of a layer by layer and direction: siblings of one cell, or different cells."""

from __future__ import annotations

from collections.abc import Sequence

from .cell import Cell

__all__ = ["check_residual", "placed"]


def placed(cells: Cell | Sequence[Cell], num_layers: int, bidirectional: bool) -> dict[str, Cell]:
    """The cells by layer and direction: l0, l0_reverse, l1, ...

    Given one cell, those of further layers and of the other direction are its siblings. Given a
    sequence, each cell is a layer. ValueError if their number is not `num_layers`, or if an
    `input_size` is not the output size of the layer below.
    """
    stack = None if isinstance(cells, Cell) else list(cells)
    if (stack is not None and num_layers not in (1, len(stack))) or stack == []:
        raise ValueError(f"num_layers={num_layers} for a stack of {len(stack or ())} cells")
    directions = ("", "_reverse") if bidirectional else ("",)
    found: dict[str, Cell] = {}
    below: int | None = None
    for layer in range(num_layers if stack is None else len(stack)):
        if stack is not None:
            cell = stack[layer]
            size = getattr(cell, "input_size", None)
            if below is not None and isinstance(size, int) and size != below:
                raise ValueError(
                    f"layer {layer}, {type(cell).__name__}, takes {size} features, and layer "
                    f"{layer - 1} gives {below}"
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
            below = cell.output_size * len(directions)
    return found


def check_residual(cells: Sequence[Cell]) -> None:
    """ValueError if the outputs of two layers differ in size and so cannot be added."""
    sizes = {cell.output_size for cell in cells}
    if len(sizes) > 1:
        raise ValueError(
            "residual=True adds each layer's output to the one of the layer below, so all are of "
            f"one size; here they are {', '.join(map(str, sorted(sizes)))}"
        )
