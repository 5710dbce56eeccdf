"""Which of the planted faults the checkers find: ours, and those of the peers that are installed.

    python tests/testing/mutations.py                  prints the table in docs/trust.md
    python tests/testing/mutations.py --steps 40       the cuts in a network of 40 steps alone

A fault is given to every checker as what it calls a function with a gradient of its own: here an
op, in PyTorch an `autograd.Function`, in JAX a `custom_vjp`, in HIPS autograd a `primitive`. All
compute in float64, with the checkers' own default tolerances.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from planted_faults import LSTMS, OPS, Fault, cuts

import tinygrad_rnn as tg
from tinygrad_rnn.testing import CellError, check_cell, check_op, gradcheck, strategies

Checker = Callable[[Fault], bool]


# The checkers: True if the fault is found


def ours(fault: Fault) -> bool:
    """`gradcheck`."""
    return _raises(lambda: gradcheck(fault.op(), fault.point))


def ours_in_one_evaluation(fault: Fault) -> bool:
    """`gradcheck(one_evaluation=True)`."""
    return _raises(lambda: gradcheck(fault.op(), fault.point, one_evaluation=True))


def _raises(check: Callable[[], Any]) -> bool:
    try:
        check()
    except AssertionError:
        return True
    return False


def pytorch(fault: Fault, **options: Any) -> bool:
    """`torch.autograd.gradcheck`."""
    import torch

    class Planted(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            ctx.save_for_backward(*xs)
            return torch.from_numpy(np.array(fault.value(*(x.detach().numpy() for x in xs))))

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            xs = (x.detach().numpy() for x in ctx.saved_tensors)
            found = fault.backward(grad.numpy(), *xs)
            return tuple(torch.from_numpy(np.array(g)) for g in found)

    point = tuple(torch.tensor(x, requires_grad=True) for x in fault.point)
    return not torch.autograd.gradcheck(Planted.apply, point, raise_exception=False, **options)


def pytorch_fast(fault: Fault) -> bool:
    """`torch.autograd.gradcheck(fast_mode=True)`."""
    return pytorch(fault, fast_mode=True)


def jax(fault: Fault) -> bool:
    """`jax.test_util.check_grads`, of first order, in reverse mode."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def on_arrays(fn: Callable[..., Any], like: Any, *arrays: Any) -> Any:
        shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), like)
        return jax.pure_callback(lambda *xs: fn(*map(np.asarray, xs)), shapes, *arrays)

    result = np.asarray(fault.value(*fault.point))
    planted = jax.custom_vjp(lambda *xs: on_arrays(fault.value, result, *xs))

    def backward(xs: Any, grad: Any) -> Any:
        return on_arrays(lambda *args: tuple(map(np.array, fault.backward(*args))), xs, grad, *xs)

    planted.defvjp(lambda *xs: (planted(*xs), xs), backward)
    return _raises(lambda: check_grads(planted, fault.point, order=1, modes=["rev"]))


def autograd(fault: Fault) -> bool:
    """`autograd.test_util.check_grads`, of first order, in reverse mode."""
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    planted = primitive(lambda *xs: fault.value(*xs))

    def rule(position: int) -> Any:
        return lambda out, *xs: lambda grad: np.array(fault.backward(grad, *xs)[position])

    numbers = range(len(fault.point))
    defvjp(planted, *map(rule, numbers), argnums=numbers)
    np.random.seed(0)
    return _raises(
        lambda: check_grads(planted, tuple(numbers), modes=["rev"], order=1)(*fault.point)
    )


PEERS: dict[str, tuple[str, Checker]] = {
    "PyTorch": ("torch", pytorch),
    "PyTorch, fast": ("torch", pytorch_fast),
    "JAX": ("jax", jax),
    "HIPS autograd": ("autograd", autograd),
}


def installed(peers: dict[str, tuple[str, Checker]]) -> dict[str, Checker]:
    """Those whose package can be imported."""
    import importlib.util

    return {n: check for n, (module, check) in peers.items() if importlib.util.find_spec(module)}


# Faults that are no wrong numbers: what other checkers have no law for


@contextmanager
def _replaced(path: str, new: Any) -> Iterator[None]:
    module, _, name = path.rpartition(".")
    with mock.patch.object(sys.modules[module], name, new):
        yield


def _square(rule: Any, value: Any = np.square) -> tg.Op:
    made = tg.op(lambda x: value(x))
    made.vjp(rule)
    return made


def _writes_into_cotangent(grad: Any, out: Any, x: Any) -> Any:
    result = grad * 2.0 * x
    if isinstance(grad, np.ndarray):
        grad *= 0.5
    return result


def _writes_into_input(grad: Any, out: Any, x: Any) -> Any:
    result = grad * 2.0 * x
    if isinstance(x, np.ndarray):
        x += 1.0
    return result


def _found_in_op(op: Any) -> bool:
    writable = strategies.arrays((3,), layout=strategies.st.just(np.copy))
    return _raises(lambda: check_op(op, writable, examples=5))


def _frozen(x: Any) -> Any:
    """x as a constant in a gradient's gradient."""
    return x.detach() if isinstance(x, tg.Tensor) else x


def _aliasing_gradient() -> bool:
    import tinygrad_rnn.testing.check_op  # noqa: F401

    path = "tinygrad_rnn.testing.check_op.grad"
    module = sys.modules["tinygrad_rnn.testing.check_op"]
    right = module.grad

    def grad(outs: Any, leaves: Any, weights: Any, **options: Any) -> Any:
        found = right(outs, leaves, weights, **options)
        return (tg.from_numpy(weights[0]), *found[1:])

    with _replaced(path, grad):
        return _found_in_op(tg.neg)


def _found_in_cell(cell: Any, law: str) -> bool:
    try:
        check_cell(cell, input_size=1, hidden_size=1, only=[law])
    except CellError as error:
        return law in [broken.name for broken in error.report.broken]
    return False


def _found_in_layer(change: Callable[..., Any], law: str) -> bool:
    """Whether the law notices that every run of a cell is changed."""
    right = sys.modules["tinygrad_rnn.testing.cells.network"].run

    def run(cell: Any, x: Any, state: Any, **options: Any) -> Any:
        return change(*right(cell, x, state, **options), x, **options)

    with _replaced("tinygrad_rnn.testing.cells.network.run", run):
        return _found_in_cell(tg.nn.RNNCell, law)


def _padding_in_values(outputs: Any, last: Any, x: Any, **_: Any) -> Any:
    return outputs + 1e-9 * np.sum(np.where(x == x, x, 1.0), axis=-1, keepdims=True), last


def _padding_in_gradients(outputs: Any, last: Any, x: Any, lengths: Any = None, **_: Any) -> Any:
    return (outputs if lengths is None or not len(x) else outputs + 0.0 * np.sum(x[-1])), last


def _not_mirrored(outputs: Any, last: Any, x: Any, reverse: bool = False, **_: Any) -> Any:
    return (outputs[::-1] if reverse else outputs), last


def _another_scan(outputs: Any, last: Any, x: Any, unrolled: bool = False, **_: Any) -> Any:
    return (outputs if unrolled else outputs * (1 + 1e-7)), last


class _Remembers(tg.nn.RNNCell):
    before = 0.0

    def forward(self, x: Any, h: Any) -> Any:
        new = super().forward(x, h) + 0.1 * self.before
        self.before = float(np.sum(new.data))
        return new


class _MixesRows(tg.nn.RNNCell):
    def forward(self, x: Any, h: Any) -> Any:
        return super().forward(x - np.mean(x, axis=0, keepdims=True), h)


class _Unsaved(tg.nn.RNNCell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.scale = tg.rand(hidden_size, dtype=np.float64)

    def forward(self, x: Any, h: Any) -> Any:
        return super().forward(x, h * self.scale.astype(h.dtype))


OTHERS: list[tuple[str, str, str, Callable[[], bool]]] = [
    ("op", "gradient that aliases the cotangent", "check_op", _aliasing_gradient),
    (
        "op",
        "rule writes into the cotangent",
        "check_op",
        lambda: _found_in_op(_square(_writes_into_cotangent)),
    ),
    (
        "op",
        "rule writes into its input",
        "check_op",
        lambda: _found_in_op(_square(_writes_into_input)),
    ),
    (
        "op",
        "float32 becomes float64",
        "check_op",
        lambda: _found_in_op(
            _square(lambda g, out, x: g * 2.0 * x, lambda x: np.square(x) * np.ones(1))
        ),
    ),
    (
        "op",
        "second derivative missing, the first right",
        "check_op",
        lambda: _found_in_op(_square(lambda g, out, x: g * 2.0 * _frozen(x))),
    ),
    (
        "cell",
        "memory outside of the state",
        "check_cell",
        lambda: _found_in_cell(_Remembers, "repeat"),
    ),
    ("cell", "rows of a batch mixed", "check_cell", lambda: _found_in_cell(_MixesRows, "rows")),
    (
        "cell",
        "a constant that is not saved",
        "check_cell",
        lambda: _found_in_cell(_Unsaved, "saved"),
    ),
    (
        "layer",
        "padding leaks into the values",
        "check_cell",
        lambda: _found_in_layer(_padding_in_values, "padding"),
    ),
    (
        "layer",
        "padding leaks into the gradient (0 * NaN)",
        "check_cell",
        lambda: _found_in_layer(_padding_in_gradients, "padding"),
    ),
    (
        "layer",
        "reversed outputs not mirrored back",
        "check_cell",
        lambda: _found_in_layer(_not_mirrored, "reverse"),
    ),
    (
        "layer",
        "scan and unrolled run differ by 1e-7",
        "check_cell",
        lambda: _found_in_layer(_another_scan, "scan"),
    ),
]


# The table


def _word(found: bool) -> str:
    return "found" if found else "**missed**"


def _family(faults: list[Fault], check: Checker) -> str:
    missed = [step for step, fault in enumerate(faults) if not check(fault)]
    if not missed:
        return f"found at all {len(faults)}"
    whole = missed == list(range(missed[-1] + 1))
    where = f"t = 0 to {missed[-1]}" if whole else f"{len(missed)} of {len(faults)}"
    return f"**missed** at {where}"


def rows(steps: Iterable[int], only_cuts: bool) -> Iterator[list[str]]:
    """The lines of the table, as they are known."""
    peers = installed(PEERS)
    yield ["fault", "level", "here, by", "here", *peers]
    if not only_cuts:
        for fault in [*OPS, *LSTMS]:
            found = [_word(check(fault)) for check in [ours, *peers.values()]]
            yield [fault.name, fault.level, "gradcheck", *found]
    for count in steps:
        checks: list[tuple[str, Checker]] = [
            ("gradcheck", ours),
            ("gradcheck, one evaluation", ours_in_one_evaluation),
        ]
        faults = cuts(count)
        others = [_family(faults, check) for check in peers.values()]
        for by, check in checks:
            yield [f"RNN of {count} steps, cut at t", "layer", by, _family(faults, check), *others]
    if not only_cuts:
        for level, name, by, check in OTHERS:
            yield [name, level, by, _word(check()), *["-"] * len(peers)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", metavar="T", help="the cuts alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # what peers say of their own future
    for number, row in enumerate(rows(options.steps or [40, 200], options.steps is not None)):
        print("|", " | ".join(row), "|", flush=True)
        if not number:
            print("|", " | ".join("---" for _ in row), "|")


if __name__ == "__main__":
    main()
