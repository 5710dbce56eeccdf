"""The time of a cell's training step: here, and for its export in JAX and in PyTorch."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import nn, pytree
from ..compiler.backends.executor import executing_on
from ..engine.tensor import Tensor

__all__ = ["LIBRARIES", "Measurement", "available", "measured"]

_SECONDS, _LEAST = (
    2.0,
    3,
)  # for each library: how long steps are timed, and the least number of steps


class Measurement(NamedTuple):
    """A library's training step: the values of a scan and all gradients.

    `first`: seconds of the first step, compilation included. `step`: the median of later ones.
    `memory`: bytes by which the peak of the process grew; None where the system does not report it.
    `loss`, `slope`: the sum of the squared outputs, and the norm of its gradient by x.
    """

    first: float
    step: float
    memory: int | None
    loss: float
    slope: float


def available() -> list[str]:
    """The names in `LIBRARIES` that can be measured here.

    >>> available()[0]
    'numpy'
    """
    return [name for name, (_, needs) in LIBRARIES.items() if importlib.util.find_spec(needs)]


def measured(
    library: str, cell: nn.Cell, x: Any, seconds: float = _SECONDS, **given: Any
) -> Measurement:
    """A cell's step on x (T, B, ...), an array, in one of the `LIBRARIES`.

    `given`: the other arguments of its layer, as arrays: further inputs and `constants`. The memory
    is meaningful only if nothing else has run in this process.

    >>> found = measured("numpy", nn.RNNCell(2, 3), np.ones((5, 2, 2), np.float32))
    >>> found.step < found.first
    True
    """
    step = LIBRARIES[library][0](cell, x, given)
    before = _peak()
    start = time.perf_counter()
    loss, by_x = step()
    first = time.perf_counter() - start
    times: list[float] = []
    while len(times) < _LEAST or sum(times) < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    after = _peak()
    grown = None if before is None or after is None else after - before
    slope = float(np.linalg.norm(np.asarray(by_x, np.float64)))
    return Measurement(first, statistics.median(times), grown, float(loss), slope)


def _peak() -> int | None:
    """The most memory that this process has had, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


Step = Callable[[], tuple[Any, Any]]


def _here(executor: str) -> Callable[[nn.Cell, Any, Any], Step]:
    def prepared(cell: nn.Cell, x: Any, further: Any) -> Step:
        layer = nn.Recurrent(cell)

        def step() -> tuple[Any, Any]:
            layer.zero_grad()
            given = Tensor(x, requires_grad=True)
            with executing_on(executor):
                loss = (layer(given, **further)[0] ** 2).sum()
                loss.backward()
            return loss.item(), given.grad.numpy()  # type: ignore[union-attr]

        return step

    return prepared


def _in_jax(cell: nn.Cell, x: Any, further: Any) -> Step:
    import jax

    from .jax import to_jax

    apply, parameters = to_jax(nn.Recurrent(cell))
    function = jax.jit(
        jax.value_and_grad(
            lambda parameters, x, further: (apply(parameters, x, **further)[0] ** 2).sum(), (0, 1)
        )
    )
    given, further = jax.tree.map(jax.numpy.asarray, (x, further))

    def step() -> tuple[Any, Any]:
        loss, (_, by_x) = function(parameters, given, further)
        return loss.block_until_ready(), by_x.block_until_ready()

    return step


def _in_torch(cell: nn.Cell, x: Any, further: Any) -> Step:
    import torch

    from .torch import to_torch

    module = to_torch(_layer_of_torch(cell))
    further = pytree.map(torch.tensor, further)

    def step() -> tuple[Any, Any]:
        module.zero_grad()
        given = torch.tensor(x, requires_grad=True)
        loss = (module(given, **further)[0] ** 2).sum()
        loss.backward()
        return loss.item(), given.grad.numpy()  # type: ignore[union-attr]

    return step


def _layer_of_torch(cell: nn.Cell) -> nn.Recurrent:
    """PyTorch's own layer with the cell's weights, or a layer of the exported cell."""
    kinds: dict[type[nn.Cell], Any] = {nn.LSTMCell: nn.LSTM, nn.GRUCell: nn.GRU, nn.RNNCell: nn.RNN}
    layer, kind = nn.Recurrent(cell), kinds.get(type(cell))
    if kind is None:
        return layer
    first: Any = cell
    made: nn.Recurrent = kind(first.input_size, first.hidden_size)
    made.load_state_dict(layer.state_dict())
    return made


LIBRARIES: dict[str, tuple[Callable[[nn.Cell, Any, Any], Step], str]] = {
    "numpy": (_here("numpy"), "numpy"),
    "llvm": (_here("llvm"), "llvmlite"),
    "jax": (_in_jax, "jax"),
    "torch": (_in_torch, "torch"),
}
"""The libraries that can be measured, and the module that each needs."""
