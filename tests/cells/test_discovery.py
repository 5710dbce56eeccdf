"""Every cell is found by name: of this package, and of distributions that declare theirs."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from tinygrad_rnn import TinygradRnnError, cells, nn
from tinygrad_rnn.cells.discovery import ENTRY_POINTS
from tinygrad_rnn.user_code import UserCodeError, find_cell

from .examples import NAMES


def test_every_cell_of_nn_and_cells_is_found() -> None:
    found = cells.discover()
    assert {cell.__name__ for cell in found.values()} == {
        "RNNCell",
        "LSTMCell",
        "GRUCell",
        *NAMES,
    }
    assert len(found) == len(NAMES) + 3
    assert all(issubclass(cell, nn.Cell) for cell in found.values())


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A distribution with entry points: `installed(mine="my_cells:Mine")`."""

    def install(code: str, **points: str) -> None:
        (tmp_path / "my_cells.py").write_text(code)
        info = tmp_path / "my_cells-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-cells\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{ENTRY_POINTS}]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "my_cells", raising=False)
        assert len(metadata.entry_points(group=ENTRY_POINTS)) >= len(points)

    return install


CODE = """
from tinygrad_rnn import nn
class Mine(nn.RNNCell): pass
"""


def test_a_cell_of_another_distribution_has_what_ours_have(installed) -> None:
    installed(CODE, Mine="my_cells:Mine", lstm="my_cells:Mine", bad="my_cells:nn")
    found = cells.discover()
    assert found["mine"].__name__ == "Mine"
    assert found["lstm"] is nn.LSTMCell
    assert find_cell("mine").cell is found["mine"]
    with pytest.raises(TinygradRnnError, match=r"my-cells declares the cell 'bad'.*not a subclass"):
        found["bad"]


def test_a_distribution_that_is_broken_breaks_nothing_else(installed) -> None:
    installed("1 / 0", mine="my_cells:Mine")
    assert find_cell("mingru").cell is cells.MinGRUCell
    with pytest.raises(TinygradRnnError, match="ZeroDivisionError"):
        find_cell("mine")


def test_a_name_that_is_wrong_is_told_what_is_near() -> None:
    with pytest.raises(UserCodeError, match="did you mean 'mingru'"):
        find_cell("mingru2")
