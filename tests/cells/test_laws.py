"""Every published cell keeps the laws, compiles, and is what it claims to be.

Here the laws that are quick are checked; the gradients of each step are left to `test_papers`.
All laws of all cells, and of layers of two in both directions, take some minutes:

    python tests/cells/every_law.py
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cells, nn
from tinygrad_rnn.compiler.specialization import Refusal, specializations
from tinygrad_rnn.testing import check_cell

from .examples import NAMES, STEPS, example
from .papers import PAPERS

QUICK = ("state", "dtype", "apart", "length", "truncated", "forward")


@pytest.mark.one_in(2, "cell with its quick laws")
@pytest.mark.parametrize("name", NAMES)
def test_quick_laws_and_claims(name) -> None:
    cell = getattr(cells, name)
    claims = [claim.name for claim in example(name).cell.claims]
    shape, sizes = example(name).x.shape[2:], PAPERS[name].sizes
    report = check_cell(cell, only=[*QUICK, *claims], input_shape=shape, **sizes)
    assert all(law.verdict == "holds" for law in report.laws), report
    if hasattr(example(name).cell, "weight_proj"):  # not where x_t is as wide as the state
        check_cell(cell, only=["state", "dtype"], input_size=3, hidden_size=3)


@pytest.mark.parametrize(
    "executor", ["numpy", pytest.param("llvm", marks=pytest.mark.one_in(3, "cell on LLVM"))]
)
@pytest.mark.parametrize("name", NAMES)
def test_every_cell_is_one_scan_and_compiles(name, executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    cell, x, _, inputs = example(name)
    layer = nn.Recurrent(cell)
    given = tg.tensor(x, requires_grad=True)
    expected, found = [], []
    tg.set_executor(executor)
    try:
        for results, layer.unroll in ((expected, True), (found, False)):
            outputs, _ = layer(given, **inputs)
            results += [outputs, *tg.grad((outputs**2).sum(), [given, *cell.parameters()])]
    finally:
        tg.set_executor("numpy")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-10, atol=1e-11)
    assert not isinstance(specializations(cell).latest, Refusal)


@pytest.mark.one_in(2, "cell in layers")
@pytest.mark.parametrize("name", NAMES)
@tg.no_grad()
def test_layers_of_two_in_both_directions(name) -> None:
    layer = nn.Recurrent(example(name).cell, num_layers=2, bidirectional=True)
    x, lengths = example(name).x, [STEPS, STEPS - 1]
    # A layer has its further inputs by default: a mask fits the first layer alone.
    outputs, _ = layer(tg.tensor(x), lengths=lengths)
    layer.unroll = True
    expected, _ = layer(tg.tensor(x), lengths=lengths)
    np.testing.assert_allclose(outputs.data, expected.data, rtol=1e-10, atol=1e-11)
