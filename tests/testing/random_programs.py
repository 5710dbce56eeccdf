"""Random programs, a few ops each, computed here, in PyTorch and in JAX: values and gradients.

    python tests/testing/random_programs.py --programs 20000 --seed 1

Prints how many programs were compared and how many differ, each of those as code; exit status 1 if
any does. A program is a DAG: every op takes results from anywhere before it. All inputs are float64
and away from kinks, poles and overflow, so that two right answers differ by rounding alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg

Shape = tuple[int, ...]
Array = Any


class Form(NamedTuple):
    """An op in the three packages, and how to choose its arguments."""

    name: str
    here: Callable[..., Any]
    torch: Callable[..., Any]  # (torch, *inputs, **options)
    jax: Callable[..., Any]  # (jax.numpy, *inputs, **options)
    inputs: int = 1
    choose: Callable[[np.random.Generator, Shape], dict[str, Any] | None] = lambda rng, shape: {}


class Step(NamedTuple):
    """`values[len] = form(*(values[i] for i in inputs), **options)`."""

    form: Form
    inputs: tuple[int, ...]
    options: dict[str, Any]

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{self.form.name}({', '.join(f'v{i}' for i in self.inputs)}{options})"


class Program(NamedTuple):
    """Inputs, and the steps on them; the result is the sum of all values that no step reads."""

    inputs: list[Array]
    steps: list[Step]

    def __str__(self) -> str:
        lines = [f"v{i} = array({a.tolist()})" for i, a in enumerate(self.inputs)]
        count = len(self.inputs)
        return "\n".join(lines + [f"v{count + i} = {step}" for i, step in enumerate(self.steps)])

    def run(self, leaves: Sequence[Any], call: Callable[[Step, list[Any]], Any]) -> list[Any]:
        """All values."""
        values = list(leaves)
        for step in self.steps:
            values.append(call(step, [values[i] for i in step.inputs]))
        return values

    def ends(self) -> list[int]:
        """The values that no step reads."""
        read = {i for step in self.steps for i in step.inputs}
        return [i for i in range(len(self.inputs) + len(self.steps)) if i not in read]


def _axis(rng: np.random.Generator, shape: Shape) -> dict[str, Any] | None:
    if not shape:
        return None
    return {"axis": int(rng.integers(-len(shape), len(shape)))}


def _axis_keepdims(rng: np.random.Generator, shape: Shape) -> dict[str, Any] | None:
    chosen = _axis(rng, shape)
    return None if chosen is None else {**chosen, "keepdims": bool(rng.integers(2))}


def _swap(rng: np.random.Generator, shape: Shape) -> dict[str, Any] | None:
    if len(shape) < 2:
        return None
    return {"a": int(rng.integers(len(shape))), "b": int(rng.integers(-len(shape), 0))}


def _flat(rng: np.random.Generator, shape: Shape) -> dict[str, Any] | None:
    return {"shape": (int(np.prod(shape)),)}


def _slice(rng: np.random.Generator, shape: Shape) -> dict[str, Any] | None:
    if not shape or shape[-1] < 2:
        return None
    return {"start": int(rng.integers(0, shape[-1] - 1)), "step": int(rng.integers(1, 3))}


def _rows(rng: np.random.Generator, shape: Shape) -> dict[str, Any] | None:
    if not shape:
        return None
    return {"rows": [int(i) for i in rng.integers(0, shape[0], 3)]}


def _threshold(rng: np.random.Generator, shape: Shape) -> dict[str, Any] | None:
    return {"at": float(np.round(rng.normal(), 3)) + 1e-7}


def _dim(kept: dict[str, Any]) -> dict[str, Any]:
    return {"dim": kept["axis"], "keepdim": kept["keepdims"]}


def _same(name: str) -> Form:
    """An op of one input that has the same name everywhere."""
    return Form(
        name, getattr(tg, name), lambda m, x: getattr(m, name)(x), lambda m, x: getattr(m, name)(x)
    )


UNARY = [_same(name) for name in ("tanh", "sin", "cos", "exp", "square", "abs", "expm1")]
NONLINEAR = [
    Form("sigmoid", tg.sigmoid, lambda m, x: m.sigmoid(x), lambda m, x: _nn().sigmoid(x)),
    Form(
        "softplus",
        tg.softplus,
        lambda m, x: _f(m).softplus(x, threshold=700),
        lambda m, x: _nn().softplus(x),
    ),
    Form("silu", tg.silu, lambda m, x: _f(m).silu(x), lambda m, x: _nn().silu(x)),
    Form(
        "gelu",
        tg.gelu,
        lambda m, x: _f(m).gelu(x, approximate="tanh"),
        lambda m, x: _nn().gelu(x, approximate=True),
    ),
    Form("elu", tg.elu, lambda m, x: _f(m).elu(x), lambda m, x: _nn().elu(x)),
    Form("relu", tg.relu, lambda m, x: m.relu(x), lambda m, x: _nn().relu(x)),
    Form(
        "log(1 + x^2)",
        lambda x: tg.log(1.0 + x * x),
        lambda m, x: m.log(1.0 + x * x),
        lambda m, x: m.log(1.0 + x * x),
    ),
    Form(
        "sqrt(1 + x^2)",
        lambda x: tg.sqrt(1.0 + x * x),
        lambda m, x: m.sqrt(1.0 + x * x),
        lambda m, x: m.sqrt(1.0 + x * x),
    ),
    Form(
        "1 / (1 + x^2)",
        lambda x: 1.0 / (1.0 + x * x),
        lambda m, x: 1.0 / (1.0 + x * x),
        lambda m, x: 1.0 / (1.0 + x * x),
    ),
]
BINARY = [
    Form("add", lambda x, y: x + y, lambda m, x, y: x + y, lambda m, x, y: x + y, 2),
    Form("sub", lambda x, y: x - y, lambda m, x, y: x - y, lambda m, x, y: x - y, 2),
    Form("mul", lambda x, y: x * y, lambda m, x, y: x * y, lambda m, x, y: x * y, 2),
    Form(
        "x / (2 + tanh(y))",
        lambda x, y: x / (2.0 + tg.tanh(y)),
        lambda m, x, y: x / (2.0 + m.tanh(y)),
        lambda m, x, y: x / (2.0 + m.tanh(y)),
        2,
    ),
    Form(
        "maximum", tg.maximum, lambda m, x, y: m.maximum(x, y), lambda m, x, y: m.maximum(x, y), 2
    ),
    Form(
        "logaddexp",
        tg.logaddexp,
        lambda m, x, y: m.logaddexp(x, y),
        lambda m, x, y: m.logaddexp(x, y),
        2,
    ),
    Form(
        "where",
        lambda x, y, at: tg.where(x > at, x, y),
        lambda m, x, y, at: m.where(x > at, x, y),
        lambda m, x, y, at: m.where(x > at, x, y),
        2,
        _threshold,
    ),
    Form("matmul", lambda x, y: x @ y, lambda m, x, y: x @ y, lambda m, x, y: x @ y, 2),
]
FORMED = [
    Form(
        "sum",
        tg.sum,
        lambda m, x, **k: m.sum(x, **_dim(k)),
        lambda m, x, **k: m.sum(x, **k),
        1,
        _axis_keepdims,
    ),
    Form(
        "mean",
        tg.mean,
        lambda m, x, **k: m.mean(x, **_dim(k)),
        lambda m, x, **k: m.mean(x, **k),
        1,
        _axis_keepdims,
    ),
    Form(
        "var",
        tg.var,
        lambda m, x, **k: m.var(x, correction=0, **_dim(k)),
        lambda m, x, **k: m.var(x, **k),
        1,
        _axis_keepdims,
    ),
    Form(
        "max",
        tg.max,
        lambda m, x, **k: m.amax(x, **_dim(k)),
        lambda m, x, **k: m.max(x, **k),
        1,
        _axis_keepdims,
    ),
    Form(
        "logsumexp",
        tg.logsumexp,
        lambda m, x, **k: m.logsumexp(x, **_dim(k)),
        lambda m, x, **k: _scipy().logsumexp(x, **k),
        1,
        _axis_keepdims,
    ),
    Form(
        "softmax",
        tg.softmax,
        lambda m, x, axis: m.softmax(x, dim=axis),
        lambda m, x, axis: _nn().softmax(x, axis=axis),
        1,
        _axis,
    ),
    Form(
        "log_softmax",
        tg.log_softmax,
        lambda m, x, axis: m.log_softmax(x, dim=axis),
        lambda m, x, axis: _nn().log_softmax(x, axis=axis),
        1,
        _axis,
    ),
    Form(
        "cumsum",
        tg.cumsum,
        lambda m, x, axis: m.cumsum(x, dim=axis),
        lambda m, x, axis: m.cumsum(x, axis=axis),
        1,
        _axis,
    ),
    Form(
        "flip",
        tg.flip,
        lambda m, x, axis: m.flip(x, [axis]),
        lambda m, x, axis: m.flip(x, axis=axis),
        1,
        _axis,
    ),
    Form(
        "swapaxes",
        lambda x, a, b: tg.swapaxes(x, a, b),
        lambda m, x, a, b: x.swapaxes(a, b),
        lambda m, x, a, b: m.swapaxes(x, a, b),
        1,
        _swap,
    ),
    Form(
        "reshape",
        lambda x, shape: tg.reshape(x, shape=shape),
        lambda m, x, shape: m.reshape(x, shape),
        lambda m, x, shape: m.reshape(x, shape),
        1,
        _flat,
    ),
    Form(
        "x[..., start::step]",
        lambda x, start, step: x[..., start::step],
        lambda m, x, start, step: x[..., start::step],
        lambda m, x, start, step: x[..., start::step],
        1,
        _slice,
    ),
    Form(
        "x[rows]",
        lambda x, rows: x[rows],
        lambda m, x, rows: x[rows],
        lambda m, x, rows: x[m.array(rows)],
        1,
        _rows,
    ),
    Form(
        "expand_dims",
        tg.expand_dims,
        lambda m, x, axis: m.unsqueeze(x, axis),
        lambda m, x, axis: m.expand_dims(x, axis),
        1,
        _axis,
    ),
    Form(
        "concatenate",
        lambda x, y, axis: tg.concatenate([x, y], axis=axis),
        lambda m, x, y, axis: m.cat([x, y], dim=axis),
        lambda m, x, y, axis: m.concatenate([x, y], axis=axis),
        2,
        _axis,
    ),
]
FORMS = [*UNARY, *NONLINEAR, *BINARY, *FORMED]


def _f(torch: Any) -> Any:
    return torch.nn.functional


def _nn() -> Any:
    import jax

    return jax.nn


def _scipy() -> Any:
    import jax

    return jax.scipy.special


# Making and comparing programs

_LARGEST = 50.0
"""Values beyond it are not built upon: exp(exp(x)) is soon beyond any floating number."""


def random_program(rng: np.random.Generator, size: int) -> Program:
    """Some inputs of random shapes, and `size` ops on them or on results."""
    count = int(rng.integers(1, 4))
    shapes = [tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 4))) for _ in range(count)]
    program = Program([np.asarray(rng.normal(size=shape)) for shape in shapes], [])
    values = [tg.from_numpy(array) for array in program.inputs]
    while len(program.steps) < size:
        form = FORMS[rng.integers(len(FORMS))]
        chosen = tuple(int(i) for i in rng.integers(0, len(values), form.inputs))
        options = form.choose(rng, values[chosen[0]].shape)
        if options is None:
            continue
        step = Step(form, chosen, options)
        try:
            value = here(step, [values[i] for i in chosen])
        except (ValueError, IndexError, TypeError):
            continue  # shapes that do not fit together
        if value.size > 200 or not np.all(np.abs(value._data) < _LARGEST):
            continue
        if _near_a_kink(step, [values[i]._data for i in chosen]):
            continue
        program.steps.append(step)
        values.append(value)
    return program


def _near_a_kink(step: Step, values: list[Array]) -> bool:
    """Whether rounding could decide which side of a kink, or which of two elements, is taken."""
    name = step.form.name
    if name in ("abs", "relu", "elu"):
        return bool(np.any(np.abs(values[0]) < 1e-6))
    if name == "where":
        return bool(np.any(np.abs(values[0] - step.options["at"]) < 1e-6))
    if name == "maximum":
        return bool(np.any(np.abs(values[0] - values[1]) < 1e-6))
    if name == "max":
        ordered = np.sort(values[0], axis=step.options["axis"])
        return bool(np.any(np.diff(ordered, axis=step.options["axis"]) < 1e-6))
    return False


def here(step: Step, values: list[Any]) -> Any:
    """The step in this package."""
    return step.form.here(*values, **step.options)


Outcome = tuple[list[Array], list[Array]]


def in_tinygrad_rnn(program: Program, weights: list[Array]) -> Outcome:
    """Values of all ends, and the gradient of their weighted sum by each input."""
    leaves = [tg.tensor(a, requires_grad=True) for a in program.inputs]
    values = program.run(leaves, here)
    ends = [values[i] for i in program.ends()]
    found = tg.grad(ends, leaves, weights, allow_unused=True)
    return [e._data for e in ends], [
        np.zeros(x.shape) if g is None else g._data for g, x in zip(found, leaves, strict=True)
    ]


def in_torch(program: Program, weights: list[Array]) -> Outcome:
    """The same in PyTorch."""
    import torch

    leaves = [torch.tensor(a, requires_grad=True) for a in program.inputs]
    values = program.run(leaves, lambda s, xs: s.form.torch(torch, *xs, **s.options))
    ends = [values[i] for i in program.ends()]
    tensors = [torch.tensor(w) for w in weights]
    found = torch.autograd.grad(ends, leaves, tensors, allow_unused=True)
    return [e.detach().numpy() for e in ends], [
        np.zeros(x.shape) if g is None else g.numpy() for g, x in zip(found, leaves, strict=True)
    ]


def in_jax(program: Program, weights: list[Array], compiled: bool = False) -> Outcome:
    """The same in JAX: op by op, each compiled for later programs too, or compiled as a whole."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def ends(*leaves: Any) -> list[Any]:
        values = program.run(leaves, lambda s, xs: s.form.jax(jnp, *xs, **s.options))
        return [values[i] for i in program.ends()]

    def both(leaves: list[Any], weights: list[Any]) -> Any:
        values, pullback = jax.vjp(ends, *leaves)
        return values, pullback(weights)

    arrays = [jnp.asarray(a) for a in program.inputs], [jnp.asarray(w) for w in weights]
    with jax.disable_jit(not compiled):
        values, found = jax.jit(both)(*arrays)
    return [np.asarray(v) for v in values], [np.asarray(g) for g in found]


PEERS: dict[str, tuple[str, Callable[[Program, list[Array]], Outcome]]] = {
    "PyTorch": ("torch", in_torch),
    "JAX": ("jax", in_jax),
    "JAX, compiled": ("jax", partial(in_jax, compiled=True)),
}


def difference(program: Program, peer: Callable[[Program, list[Array]], Outcome]) -> str | None:
    """The first value or gradient in which `peer` differs by more than rounding."""
    rng = np.random.default_rng(len(program.steps))
    shapes = [
        program.run([tg.from_numpy(a) for a in program.inputs], here)[i].shape
        for i in program.ends()
    ]
    weights = [np.asarray(rng.uniform(0.5, 1.5, shape)) for shape in shapes]
    outcomes = in_tinygrad_rnn(program, weights), peer(program, weights)
    for what, ours, theirs in zip(("value", "gradient"), *outcomes, strict=True):
        largest = max((np.max(np.abs(b), initial=0) for b in theirs), default=0.0)
        for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a.shape != b.shape:
                return f"{what} {number}: shape {a.shape} here, {b.shape} there"
            if not np.all(np.abs(a - b) <= 1e-9 * np.abs(b) + 1e-11 * max(largest, 1.0)):
                return f"{what} {number}: {a.tolist()} here, {b.tolist()} there"
    return None


def compare(programs: int, seed: int, peers: Sequence[str], show: Callable[[str], None]) -> int:
    """Run them all; the number of mismatches."""
    mismatches = 0
    for number in range(programs):
        rng = np.random.default_rng([seed, number])
        program = random_program(rng, int(rng.integers(1, 12)))
        for name in peers:
            found = difference(program, PEERS[name][1])
            if found is not None:
                mismatches += 1
                show(f"program {number} of seed {seed} against {name}: {found}\n{program}\n")
    return mismatches


def installed() -> list[str]:
    """The peers that can be imported."""
    return [name for name, (module, _) in PEERS.items() if importlib.util.find_spec(module)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=installed())
    options = parser.parse_args()
    mismatches = compare(options.programs, options.seed, options.peers, print)
    print(
        f"{options.programs} programs of seed {options.seed} against {', '.join(options.peers)}: "
        f"{mismatches} mismatches"
    )
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
