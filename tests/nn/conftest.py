"""The reference runs, our side of them, and PyTorch where it is installed."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg

FOLDER = Path(__file__).parent


class Ours:
    """The counterpart of `Torch` in `make_reference.py`."""

    nn, functional = tg.nn, tg.nn.functional
    unroll = False
    constant = staticmethod(tg.tensor)

    def leaf(self, array: Any) -> tg.Tensor:
        return tg.tensor(array, requires_grad=True)

    def loaded(self, module: Any, arrays: dict[str, Any]) -> Any:
        module.astype("float64").load_state_dict(arrays)
        return module

    def recur(self, layer: Any, x: Any, state: Any, lengths: Any) -> Any:
        layer.unroll = self.unroll
        return layer(x, state, lengths=lengths)


class Unrolled(Ours):
    """Every op of every step recorded, instead of a scan."""

    unroll = True


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """The same names and values, to 1e-10 relative."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        scale = np.abs(array).max(initial=0.0)
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-13 * scale, err_msg=name)


class Runs(SimpleNamespace):
    def __repr__(self) -> str:  # in reports of failures
        return "runs"


@pytest.fixture(scope="session")
def runs() -> Runs:
    """The functions of `make_reference.py`, which both libraries can run."""
    return Runs(
        ours=Ours(),
        unrolled=Unrolled(),
        assert_equal=assert_equal,
        **runpy.run_path(str(FOLDER / "make_reference.py")),
    )


@pytest.fixture(scope="session")
def reference() -> dict[str, dict[str, np.ndarray]]:
    """What PyTorch found: by run (such as "cell/3"), then by name."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(FOLDER / "reference.npz") as arrays:
        for path, array in arrays.items():
            run, _, name = path.rpartition("/")
            found.setdefault(run, {})[name] = array
    return found


@pytest.fixture(scope="session")
def torch() -> Any:
    """PyTorch, or a skipped test."""
    return pytest.importorskip("torch", reason="needs PyTorch")
