"""An oracle of 50 digits: how far the gradients of a small RNN and LSTM are from the truth.

    python tests/testing/oracle.py              prints the table in docs/trust.md
    python tests/testing/oracle.py --steps 10   for sequences of 10 steps alone

The oracle knows nothing of this package: it is the textbook's forward pass and its backward pass
through time, written out in mpmath numbers. The backward pass is itself checked, by difference
quotients of the forward pass at 100 digits. An error is given in ulp: units in the last place (of
float64) of the element's own true value; of the largest element of the same gradient (for x: of the
same time step); and, in the last column, of the contributions that the element is summed from, as
`gradcheck` measures them, which allows 64.

Beside this package run its two ways stand PyTorch, and the unrolled run with a tanh whose
derivative is computed as 1 / cosh(z)^2, from z, in which nothing cancels.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
from collections.abc import Callable, Iterator
from typing import Any

import mpmath as mp
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.testing.gradients.program import Program
from tinygrad_rnn.testing.gradients.rounding import magnitudes

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


@tg.op(elementwise=True)
def tanh_by_z(z):
    """tanh, its derivative from z: 1 - tanh(z)^2 has lost digits where tanh(z) is near 1."""
    return np.tanh(z)


tanh_by_z.vjp(lambda grad, out, z: grad / np.cosh(z) ** 2)


class WellRounded(tg.nn.Cell):
    """The RNN or LSTM cell of the oracle, with `tanh_by_z`."""

    def __init__(self, cell: tg.nn.Cell) -> None:
        self.cell, self.hidden_size = cell, HIDDEN
        self.gates = len(cell.bias_ih.data) // HIDDEN

    def initial_state(self, batch_size):
        return self.cell.initial_state(batch_size)

    def forward(self, x, state):
        cell = self.cell
        h = state if self.gates == 1 else state[0]
        z = x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T + cell.bias_hh
        if self.gates == 1:
            return tanh_by_z(z)
        i, f, g, o = tg.split(z, 4, axis=-1)
        i, f, o = (0.5 * tanh_by_z(0.5 * gate) + 0.5 for gate in (i, f, o))
        c = f * state[1] + i * tanh_by_z(g)
        return o * tanh_by_z(c), c


Ours = Callable[[tg.nn.Cell], tg.nn.Recurrent]
WAYS: dict[str, Ours] = {
    "scan": tg.nn.Recurrent,
    "unrolled": lambda cell: tg.nn.Recurrent(cell, unroll=True),
    "unrolled, 1 / cosh(z)^2": lambda cell: tg.nn.Recurrent(WellRounded(cell), unroll=True),
}


def program(kind: str, p: dict[str, Any], layer_of: Ours) -> Program:
    """The network here, as a function of x, h0, c0 and the parameters."""
    cell = getattr(tg.nn, f"{kind}Cell")(INPUTS, HIDDEN).astype("float64")
    for name, parameter in cell.named_parameters():
        parameter._data[...] = p[name]
    layer = layer_of(cell)

    def loss(x: Any, *state: Any) -> Any:
        first = [leaf[None] for leaf in state]
        outputs, _ = layer(x[:, None], [first[0] if kind == "RNN" else tuple(first)])
        return (outputs[-1, 0] * p["weights"]).sum()

    names = ["x", "h0"] if kind == "RNN" else ["x", "h0", "c0"]
    made = Program(loss, [tg.tensor(p[n]).named(n) for n in names], cell.parameters())
    made.names = [*names, *(name for name, _ in cell.named_parameters())]
    made.weights = [np.ones(())]
    return made


def in_torch(kind: str, p: dict[str, Any]) -> dict[str, np.ndarray]:
    """PyTorch's gradients."""
    import torch

    layer = getattr(torch.nn, kind)(INPUTS, HIDDEN, dtype=torch.float64)
    leaves = {n: torch.tensor(p[n], requires_grad=True) for n in ("x", "h0", "c0")}
    for name, parameter in layer.named_parameters():
        leaves[name.removesuffix("_l0")] = parameter
        parameter.data[...] = torch.tensor(p[name.removesuffix("_l0")])
    state = [leaves[n][None, None] for n in ("h0", "c0")]
    outputs, _ = layer(leaves["x"][:, None], state[0] if kind == "RNN" else tuple(state))
    (outputs[-1, 0] * torch.tensor(p["weights"])).sum().backward()
    return {name: leaf.grad.numpy() for name, leaf in leaves.items() if leaf.grad is not None}


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


def measured(kind: str, steps: int) -> Iterator[tuple[str, dict[str, tuple[float, float]], float]]:
    """For each way to run it, the errors of every gradient, and the largest in contributions."""
    p = point(kind, steps)
    with mp.workdps(DIGITS):
        true = gradients(kind, exactly(p))
    sizes = {}
    for way, layer_of in WAYS.items():
        here = program(kind, p, layer_of)
        found = dict(zip(here.names, here.gradient(here.point), strict=True))
        if way == "scan":
            sizes = dict(zip(here.names, _contributions(here), strict=True))
        yield way, *_errors(found, true, sizes)
    if importlib.util.find_spec("torch"):
        yield "PyTorch", *_errors(in_torch(kind, p), true, sizes)


def _contributions(here: Program) -> list[np.ndarray]:
    """Their sizes by shaking alone: what the run itself has lost must not excuse its errors."""

    def in_float64(point: Any, watch: Any) -> Any:
        if any(x.dtype == np.longdouble for x in point):
            raise TypeError("float64 alone")
        return here.gradient(point, watch)

    return magnitudes(in_float64, here.point)


def _errors(
    found: dict[str, np.ndarray], true: Gradients, sizes: dict[str, np.ndarray]
) -> tuple[dict[str, tuple[float, float]], float]:
    with mp.workdps(DIGITS):
        each = {name: errors(found[name], true[name], name == "x") for name in true}
        in_contributions = max(
            float(abs(mp.mpf(float(a)) - b) / (np.finfo(float).eps * float(size)))
            for name in true
            for a, b, size in zip(found[name].flat, _flat(true[name]), sizes[name].flat)
        )
    return each, in_contributions


def table(sequence_lengths: list[int], show: Callable[[str], None] = print) -> None:
    """One line a network, length and way to run it."""
    names = ["x", "h0", "c0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    show("| network | T | run as | " + " | ".join(names) + " | of contributions |")
    show("|---|---:|---|" + "---:|" * (len(names) + 1))
    for kind in GATES:
        for steps in sequence_lengths:
            for way, found, largest in measured(kind, steps):
                cells = [
                    "{} / {}".format(*map(_rounded, found[name])) if name in found else "-"
                    for name in names
                ]
                line = [kind, str(steps), way, *cells, _rounded(largest)]
                show(f"| {' | '.join(line)} |")


def _rounded(error: float) -> str:
    return f"{error:.1f}" if error < 9.95 else f"{error:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 10, 100], metavar="T")
    table(parser.parse_args().steps)


if __name__ == "__main__":
    main()
