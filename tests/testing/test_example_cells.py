"""Layers of every cell of the examples keep every law, but for the wrong one."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path

import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.testing import CellError, check_cell

EXAMPLES = Path(__file__).parents[2] / "examples"
CELLS = {
    f"{path.stem}.{name}": value
    for path in sorted(EXAMPLES.glob("*.py"))
    for name, value in runpy.run_path(str(path), run_name=path.stem).items()
    if isinstance(value, type) and issubclass(value, nn.Cell) and value.__module__ == path.stem
}


def test_there_are_some() -> None:
    assert {"own_op.Cell", "peephole_lstm.PeepholeLSTMCell", "wrong_cell.WrongCell"} <= CELLS.keys()


@pytest.mark.one_in(2, "cell of an example in layers")
@pytest.mark.parametrize("name", [name for name in CELLS if "Wrong" not in name])
def test_layers_of_a_cell_of_an_example_keep_every_law(name) -> None:
    layer = lambda: nn.Recurrent(CELLS[name](1, 1), num_layers=2)
    attends = "memory" in inspect.signature(CELLS[name].forward).parameters
    constants = {"memory": (2, 1)} if attends else {}
    assert check_cell(layer, constants=constants, seconds=300).ok


def test_the_wrong_one_does_not() -> None:
    with pytest.raises(CellError) as caught:
        check_cell(CELLS["wrong_cell.WrongCell"], hidden_size=1)
    broken = {law.name for law in caught.value.report.broken}
    assert broken == {"parameters", "inputs", "initial state", "far"}
