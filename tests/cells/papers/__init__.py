"""Each cell's step as its paper has it, on NumPy arrays of mpmath numbers of 50 digits.

A file has a family's. A function takes the parameters by name, x_t (B, I), the state and the cell
(for its settings), and returns the next state; with `output=True`, the output and the next state.
It is written from the paper, with the numbers of its equations, and without a look at the cell.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

mpmath = pytest.importorskip("mpmath", reason="needs mpmath")
mpmath.mp.dps = 50


class Paper(NamedTuple):
    """A step by the paper; what makes the cell for it; whether the step returns an output, too."""

    step: Callable[..., Any]
    sizes: dict[str, Any]
    output: bool


PAPERS: dict[str, Paper] = {}


def paper(name: str, *, output: bool = False, **sizes: Any) -> Callable[..., Any]:
    """Declare the step of the class `name`, which is made with `sizes` (I = 2 and H = 3)."""

    def declared(step: Callable[..., Any]) -> Callable[..., Any]:
        assert name not in PAPERS, name
        PAPERS[name] = Paper(step, {"input_size": 2, "hidden_size": 3} | sizes, output)
        return step

    return declared


class Parameters(dict[str, Any]):
    """Parameters by name: `p.weight_ih`, or `p["linear.weight"]`."""

    __getattr__ = dict.__getitem__


def exact(array: Any) -> Any:
    """The same numbers, with 50 digits; whole ones as they are."""
    array = np.asarray(array)
    return array if array.dtype.kind in "iu" else np.vectorize(mpmath.mpf, otypes=[object])(array)


def _elementwise(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return np.vectorize(function, otypes=[object])


exp = _elementwise(mpmath.exp)
log = _elementwise(mpmath.log)
tanh = _elementwise(mpmath.tanh)
cos = _elementwise(mpmath.cos)
sin = _elementwise(mpmath.sin)
sqrt = _elementwise(mpmath.sqrt)
sigmoid = _elementwise(lambda v: 1 / (1 + mpmath.exp(-v)))
softplus = _elementwise(lambda v: mpmath.log(1 + mpmath.exp(v)))
hard_sigmoid = _elementwise(
    lambda v: min(max(v / 5 + mpmath.mpf(1) / 2, mpmath.mpf(0)), mpmath.mpf(1))
)
relu = _elementwise(lambda v: max(v, mpmath.mpf(0)))


def parts(array: Any, count: int) -> list[Any]:
    """Equal parts along the last axis: of x @ W.T or a bias."""
    return np.split(array, count, axis=-1)


def rows(array: Any, count: int) -> list[Any]:
    """Equal parts along the first axis: of a stack of matrices."""
    return np.split(array, count, axis=0)


def layer_norm(array: Any, weight: Any, bias: Any) -> Any:
    """Over the last axis, with the 1e-5 that implementations add to the variance."""
    centred = array - array.sum(axis=-1, keepdims=True) / array.shape[-1]
    variance = (centred**2).sum(axis=-1, keepdims=True) / array.shape[-1]
    return weight * centred / sqrt(variance + mpmath.mpf(1e-5)) + bias


for _file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    importlib.import_module(f".{_file.stem}", __name__)
