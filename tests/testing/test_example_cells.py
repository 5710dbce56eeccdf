"""Every cell of the examples keeps every law, by itself and in layers, but for the wrong one."""

from __future__ import annotations

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


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_of_an_example_keeps_every_law(name) -> None:
    try:
        report = check_cell(CELLS[name], hidden_size=2, seconds=300)
    except CellError as error:
        assert "Wrong" in name
        broken = {law.name for law in error.report.broken}
        assert broken == {"parameters", "inputs", "initial state", "far"}
    else:
        assert "Wrong" not in name and report.ok


@pytest.mark.parametrize("name", [name for name in CELLS if "Wrong" not in name])
def test_layers_of_it_do_too(name) -> None:
    layer = lambda: nn.Recurrent(CELLS[name](1, 1), 2, bidirectional=True)
    assert check_cell(layer, seconds=300).ok
