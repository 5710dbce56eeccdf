"""A scan computes in the dtypes that NumPy's promotion gives the unrolled step, whatever x is."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

H = 3
DTYPES = ["bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64"]
LOOP_DTYPES = ["bool", "int8", "uint64", "float32", "float64"]  # of those that loops compile
LONG = ["int8", "float32"]  # for more steps than `recurrence.FEWEST_STEPS`, too
MASK = np.array([True, False, True])
SMALL = np.array([100, 50, 7], np.int8)
HALF = np.array([300.0, 200.0, 0.5], np.float16)

# Steps that are folded, hoisted or summed over time. Each keeps the dtype of its state.
STEPS = {
    "flags added": lambda h, x: 0.5 * h + (x > 0) + (x > 1),
    "difference": lambda h, x: 0.9 * h - x,
    "the same twice": lambda h, x: 0.25 * h + x + x,
    "flags subtracted": lambda h, x: 0.5 * h - (x > 0),
    "minus the sum": lambda h, x: x - (h + x),
    "halves": lambda h, x: 1e-6 * h * HALF * HALF + 0.1,
    "half and x": lambda h, x: 1e-4 * (h * HALF + x),
    "small integers": lambda h, x: 0.1 * h + SMALL + SMALL,
    "mask": lambda h, x: 0.5 * h * MASK + 0.1 * x,
    "scaled by flags": lambda h, x: h * (x > 0) * 0.5 + 0.1,
    "division": lambda h, x: h / (x + 3) + 0.1,
    "by a sum of flags": lambda h, x: (h + MASK) / (MASK + np.array([1, 2, 3], np.int8)),
    "relu": lambda h, x: tg.relu(0.5 * h + 0.1 * x - 0.2),
    "clip": lambda h, x: tg.clip(0.5 * h + 0.1 * x, -1.0, 1.0),
    "tanh": lambda h, x: tg.tanh(0.3 * h + x - (x > 0)),
    "gates": lambda h, x: tg.sigmoid(0.2 * h + x) * h + (1 - tg.sigmoid(0.2 * h + x)) * 0.3,
    "double constant": lambda h, x: (np.float64(0.5) * h + x).astype(h.dtype),
    "where": lambda h, x: tg.where(x > 0, 0.5 * h, 0.25 * h + 0.1),
}


class StepOf(nn.Cell):
    """`step(w * h, x)` in the dtype of the state."""

    def __init__(self, step, dtype) -> None:
        self.hidden_size, self.step, self.kind = H, step, np.dtype(dtype)
        self.w = nn.Parameter([0.9, -0.5, 0.7], dtype)

    def initial_state(self, batch_size: int):
        return tg.tensor(np.full((batch_size, H), 0.4, self.kind))

    def forward(self, x, h):
        return self.step(self.w * h, x).astype(self.kind)


def run(layer: nn.Recurrent, x: np.ndarray) -> list[np.ndarray]:
    given = tg.tensor(x, requires_grad=x.dtype.kind == "f")
    outputs, _ = layer(given)
    weights = np.linspace(-1, 1, outputs.size).reshape(outputs.shape).astype(outputs.dtype)
    wanted = [layer.w_l0, *([given] if given.requires_grad else [])]
    grads = tg.grad((outputs * weights).sum(), wanted, allow_unused=True)
    return [outputs.data, *(g.data for g in grads if g is not None)]


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_computes_in_the_dtypes_of_the_unrolled_run(name, executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    tg.set_executor(executor)
    rng = np.random.default_rng(0)
    try:
        for kind in DTYPES if executor == "numpy" else LOOP_DTYPES:
            for state in ["float32", "float64"] if kind != "float64" else ["float64"]:
                for steps in (4, 131) if kind in LONG else (4,):
                    x = rng.uniform(0, 3, (steps, 2, H)).astype(kind)
                    compare(STEPS[name], state, x)
    finally:
        tg.set_executor("numpy")


def compare(step, state: str, x: np.ndarray) -> None:
    layer = nn.Recurrent(StepOf(step, state), unroll=True)
    with np.errstate(all="ignore"):
        expected = run(layer, x)
        layer.unroll = False
        found = run(layer, x)
    for one, other in zip(found, expected, strict=True):
        where = f"x {x.dtype}, state {state}, T = {len(x)}"
        assert one.dtype == other.dtype, where
        eps = max(np.finfo(one.dtype).eps, 2e-3 if x.dtype == "float16" else 0)
        largest = float(np.abs(other, where=np.isfinite(other), out=np.zeros(other.shape)).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=2e3 * eps * largest, err_msg=where)
