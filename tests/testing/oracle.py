"""An oracle of 50 digits: how far the gradients of a small RNN and LSTM are from the truth.

    python tests/testing/oracle.py              prints the table in docs/trust.md
    python tests/testing/oracle.py --steps 10   for sequences of 10 steps alone

The oracle knows nothing of this package: it is the textbook's forward pass and its backward pass
through time, written out in mpmath numbers. The backward pass is itself checked, by difference
quotients of the forward pass at 100 digits. An error is given in ulp: units in the last place (of
float64) of the element's own true value, and in units of the largest element of the same gradient
(for x: of the same time step).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Any

import mpmath as mp
import numpy as np

import tinygrad_rnn as tg

Matrix = list[list[Any]]
Gradients = dict[str, Any]

DIGITS = 50
GATES = {"RNN": 1, "LSTM": 4}
INPUTS, HIDDEN = 2, 3


def _times(matrix: Matrix, vector: list[Any]) -> list[Any]:
    return [mp.fdot(row, vector) for row in matrix]


def _times_transposed(matrix: Matrix, vector: list[Any]) -> list[Any]:
    return _times([list(column) for column in zip(*matrix, strict=True)], vector)


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + mp.exp(-z))


def _step(kind: str, x: Any, h: Any, c: Any, p: dict[str, Any]) -> tuple[Any, ...]:
    """(h_{t-1}, c_{t-1}, gates, h_t, c_t)."""
    parts = zip(_times(p["weight_ih"], x), _times(p["weight_hh"], h), p["bias_ih"], p["bias_hh"])
    z = [mp.fsum(part) for part in parts]
    if kind == "RNN":
        new = [mp.tanh(value) for value in z]
        return h, c, [new], new, c
    i, f, g, o = (z[k * HIDDEN : (k + 1) * HIDDEN] for k in range(4))
    gates = [[_sigmoid(v) for v in i], [_sigmoid(v) for v in f], [mp.tanh(v) for v in g]]
    gates.append([_sigmoid(v) for v in o])
    new_c = [f * c + i * g for i, f, g, c in zip(*gates[:3], c)]
    return h, c, gates, [o * mp.tanh(v) for o, v in zip(gates[3], new_c)], new_c


def last_output(kind: str, p: dict[str, Any]) -> Any:
    """The sum of the last output's elements, each weighed by p["weights"]."""
    h, c = p["h0"], p["c0"]
    for x in p["x"]:
        *_, h, c = _step(kind, x, h, c, p)
    return mp.fdot(p["weights"], h)


def gradients(kind: str, p: dict[str, Any]) -> Gradients:
    """Those of `last_output`, by backpropagation through time."""
    h, c, steps = p["h0"], p["c0"], []
    for x in p["x"]:
        steps.append(_step(kind, x, h, c, p))
        *_, h, c = steps[-1]
    rows = GATES[kind] * HIDDEN
    dw = [[mp.mpf(0)] * INPUTS for _ in range(rows)]
    du = [[mp.mpf(0)] * HIDDEN for _ in range(rows)]
    db, dx = [mp.mpf(0)] * rows, []
    dh, dc = p["weights"], [mp.mpf(0)] * HIDDEN
    for x, (h_before, c_before, gates, h, c) in reversed(list(zip(p["x"], steps, strict=True))):
        if kind == "RNN":
            dz = [d * (1 - v * v) for d, v in zip(dh, h)]
        else:
            i, f, g, o = gates
            tanh_c = [mp.tanh(v) for v in c]
            dc = [d + e * q * (1 - v * v) for d, e, q, v in zip(dc, dh, o, tanh_c)]
            dz = [d * b * a * (1 - a) for d, a, b in zip(dc, i, g)]
            dz += [d * b * a * (1 - a) for d, a, b in zip(dc, f, c_before)]
            dz += [d * b * (1 - a * a) for d, a, b in zip(dc, g, i)]
            dz += [d * b * a * (1 - a) for d, a, b in zip(dh, o, tanh_c)]
            dc = [d * a for d, a in zip(dc, f)]
        for row, value in enumerate(dz):
            dw[row] = [s + value * v for s, v in zip(dw[row], x)]
            du[row] = [s + value * v for s, v in zip(du[row], h_before)]
            db[row] += value
        dx.insert(0, _times_transposed(p["weight_ih"], dz))
        dh = _times_transposed(p["weight_hh"], dz)
    found = {"x": dx, "h0": dh, "weight_ih": dw, "weight_hh": du, "bias_ih": db, "bias_hh": db}
    return found if kind == "RNN" else {**found, "c0": dc}


# The same network here


def point(kind: str, steps: int) -> dict[str, Any]:
    """Arrays at random for the oracle and for us."""
    rng = np.random.default_rng([steps, GATES[kind]])
    rows = GATES[kind] * HIDDEN
    shapes = {"x": (steps, INPUTS), "h0": (HIDDEN,), "c0": (HIDDEN,), "weights": (HIDDEN,)}
    shapes |= {"weight_ih": (rows, INPUTS), "weight_hh": (rows, HIDDEN)}
    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    return {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}


def exactly(p: dict[str, Any]) -> dict[str, Any]:
    """The same numbers as mpmath numbers, in nested lists."""

    def convert(part: Any) -> Any:
        return [convert(inner) for inner in part] if isinstance(part, list) else mp.mpf(part)

    return {name: convert(array.tolist()) for name, array in p.items()}


def ours(kind: str, p: dict[str, Any], unroll: bool) -> dict[str, np.ndarray]:
    """What this package computes, as a scan or unrolled."""
    cell = getattr(tg.nn, f"{kind}Cell")(INPUTS, HIDDEN).astype("float64")
    for name, parameter in cell.named_parameters():
        parameter._data[...] = p[name]
    leaves = {n: tg.tensor(p[n], requires_grad=True) for n in ("x", "h0", "c0")}
    state = [leaves[n][None, None] for n in ("h0", "c0")]
    layer = tg.nn.Recurrent(cell, unroll=unroll)
    outputs, _ = layer(leaves["x"][:, None], state[0] if kind == "RNN" else tuple(state))
    (outputs[-1, 0] * p["weights"]).sum().backward()
    leaves |= dict(cell.named_parameters())
    return {name: leaf.grad.data for name, leaf in leaves.items() if leaf.grad is not None}


def errors(found: np.ndarray, true: Any, timed: bool) -> tuple[float, float]:
    """The largest error in ulp of the element itself, and of the largest element beside it."""
    own = beside = 0.0
    rows = zip(found, true, strict=True) if timed else [(found, true)]
    for row, true_row in rows:
        values = list(_flat(true_row))
        largest = math.ulp(float(max(map(abs, values))))
        for a, b in zip(np.ravel(row), values, strict=True):
            error = abs(mp.mpf(float(a)) - b)
            own = max(own, float(error / math.ulp(float(b))))
            beside = max(beside, float(error / largest))
    return own, beside


def _flat(nest: Any) -> Iterator[Any]:
    if not isinstance(nest, list):
        yield nest
        return
    for inner in nest:
        yield from _flat(inner)


def measured(kind: str, steps: int, unroll: bool) -> dict[str, tuple[float, float]]:
    """The errors of every gradient."""
    p = point(kind, steps)
    with mp.workdps(DIGITS):
        true = gradients(kind, exactly(p))
        found = ours(kind, p, unroll)
        return {name: errors(found[name], true[name], name == "x") for name in true}


def table(sequence_lengths: list[int], show: Callable[[str], None] = print) -> None:
    """One line a network and length."""
    names = ["x", "h0", "c0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    show("| network | T | run as | " + " | ".join(names) + " |")
    show("|---|---:|---|" + "---:|" * len(names))
    for kind in GATES:
        for steps in sequence_lengths:
            for unroll in (False, True):
                found = measured(kind, steps, unroll)
                cells = [
                    "{:.3g} / {:.2g}".format(*found[name]) if name in found else "-"
                    for name in names
                ]
                way = "unrolled" if unroll else "scan"
                show(f"| {kind} | {steps} | {way} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 10, 100], metavar="T")
    table(parser.parse_args().steps)


if __name__ == "__main__":
    main()
