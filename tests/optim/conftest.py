"""The reference runs, and PyTorch where it is installed."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def runs() -> SimpleNamespace:
    """The functions of `make_reference.py`, which both libraries can run."""
    return SimpleNamespace(**runpy.run_path(str(FOLDER / "make_reference.py")))


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    """What PyTorch found, with the problem's arrays as arrays."""
    found: dict[str, Any] = json.loads((FOLDER / "reference.json").read_text())
    found["problem"] = {name: np.array(value) for name, value in found["problem"].items()}
    return found


@pytest.fixture(scope="session")
def torch() -> Any:
    """PyTorch, or a skipped test."""
    return pytest.importorskip("torch", reason="needs PyTorch")
