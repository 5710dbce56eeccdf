"""A cell or layer under test, and comparable runs of it over random sequences."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import ops, pytree
from ...engine.dtypes import is_floating
from ...engine.tensor import Tensor, from_numpy
from ...engine.transforms import grad
from ...nn import Module
from ...nn.recurrent.inputs import check_names
from ...ops import random
from .further import FurtherInputs, drawn
from .network import Network, network_of
from .results import Results

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = [
    "Batch",
    "OutOfTime",
    "Subject",
    "complete",
    "leaf_names",
    "seeded",
    "with_leaves",
]

_WARM_UP = 2
"""Steps from the initial state to the first state of a run, one that the cell can reach."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, random numbers are drawn from `seed`; the generator is restored afterwards."""
    before = random._Generator.current
    ops.manual_seed(seed)
    try:
        yield
    finally:
        random._Generator.current = before


class OutOfTime(Exception):
    """The time budget of a check is used up."""


class Subject:
    """The cell or layer that `make` returns, and how to construct it again.

    `inputs`: what elements of x are drawn from; None: normally distributed numbers. TypeError if
    `make` needs an argument that is not a size and is not in `sizes`, or does not return a cell or
    layer. `input_shape`: the shape of x_t without the batch axis; None: (input_size,). `seconds`:
    the time after which `spend` raises. `step_inputs`, `constants`: what further inputs are drawn
    from (`drawn`).
    """

    def __init__(
        self,
        make: Callable[..., Module],
        sizes: dict[str, Any],
        inputs: Sequence[Any] | None = None,
        seed: int = 0,
        input_shape: Sequence[int] | None = None,
        seconds: float = np.inf,
        step_inputs: Mapping[str, Any] | None = None,
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        self._end = time.monotonic() + seconds
        if isinstance(make, Module):
            kind = type(make).__name__
            raise TypeError(
                f"check_cell constructs the cell itself, several times: pass the class, {kind}, "
                f"or a function, lambda: {kind}(...)"
            )
        self._make = make
        self.sizes = complete(make, sizes)
        self.seed = seed
        self._choices = None if inputs is None else _choices(inputs)
        self._input_shape = None if input_shape is None else tuple(input_shape)
        self._further = step_inputs or {}, constants or {}
        self.network = self.fresh(seed)
        self.x(np.random.default_rng(seed), 1, 1)  # a missing size is reported before any law
        self.reports: dict[tuple[int, int], Any] = {}  # gradients are checked once for three laws

    def __str__(self) -> str:
        """The class and the arguments it was constructed with."""
        module, cell = self.network.module, self.network.cell
        made_with = [f"{name}={value!r}" for name, value in self.sizes.items()]
        if not made_with and cell is not module:
            made_with = [f"{type(cell).__name__}({cell.extra_repr()})"]
        options = [] if self.sizes else [module.extra_repr()]
        return f"{type(module).__name__}({', '.join(filter(None, made_with + options))})"

    def fresh(self, seed: int, dtype: str | None = "float64") -> Network:
        """A new one, with its parameters perturbed so that none is 0 or equal to another.

        With `dtype` None it keeps the dtypes it is constructed in.
        """
        with seeded(seed):
            made = self._make(**self.sizes)
        network = self._with_further_inputs(network_of(made))
        if dtype is not None:
            made.astype(dtype)
        rng = np.random.default_rng(seed)
        for name, parameter in made.named_parameters():
            parameter.name = name
            parameter._data += rng.uniform(-0.1, 0.1, parameter.shape).astype(parameter.dtype)
        return network

    def spend(self) -> None:
        """To be called before anything slow; raises OutOfTime if no time is left."""
        if time.monotonic() > self._end:
            raise OutOfTime

    def _with_further_inputs(self, network: Network) -> Network:
        """The network as a function of x and a state alone, if its cell takes further inputs."""
        inputs, constants = self._further
        takes = network.cell.step_inputs()
        needed = [name for name, needs in takes.items() if needs and name not in constants]
        if not (inputs or constants or needed):
            return network
        check_names(type(network.cell).__name__, takes, [*inputs, *needed], constants)
        x = drawn({"x": self._own_x(network.cell)})["x"]
        return FurtherInputs(network, x, drawn(inputs, needed), drawn(constants))

    def alone(self, cell: Any = None) -> Network:
        """The cell of the network, or another like it, without the layer around it."""
        network = Network(self.network.cell if cell is None else cell)
        return self.network.around(network) if isinstance(self.network, FurtherInputs) else network

    def _own_x(self, cell: Any) -> Callable[..., Array]:
        """The function that draws values for x: elements of the choices, or normal numbers."""
        shape = self._input_size(cell) if self._input_shape is None else self._input_shape

        def draw(rng: np.random.Generator, *sizes: int) -> Array:
            if self._choices is None:
                return rng.normal(size=(*sizes, *shape))
            return rng.choice(self._choices, (*sizes, *shape))

        return draw

    def _input_size(self, cell: Any) -> tuple[int, ...]:
        arguments, keywords = cell._made_with
        made_with = inspect.signature(type(cell)).bind(*arguments, **keywords).arguments
        size = getattr(cell, "input_size", made_with.get("input_size"))
        if size is None and self._choices is None:
            raise TypeError(
                f"{type(cell).__name__} has neither an argument nor an attribute input_size: "
                "how long is its x? Add the attribute (or, if x is one index per step, pass its "
                "values: inputs=range(27); if it is an image, input_shape=(3, 8, 8))"
            )
        return tuple(size) if isinstance(size, Sequence) else (1 if size is None else int(size),)

    def x(self, rng: np.random.Generator, steps: int, rows: int) -> Array:
        """Sequences (T, B, ...)."""
        if isinstance(self.network, FurtherInputs):
            found: Array = self.network.draw(rng, steps, rows)
            return found
        return self._own_x(self.network.cell)(rng, steps, rows)

    def batch(self, steps: int, rows: int, network: Network | None = None) -> Batch:
        """Sequences, and a state that the network can reach."""
        network = network or self.network
        rng = np.random.default_rng([self.seed, steps, rows])
        before = from_numpy(self.x(rng, _WARM_UP, rows))
        with seeded(self.seed):
            shown, state = network.run(before, unrolled=True)
        return Batch(
            x=self.x(rng, steps, rows),
            state=pytree.map(lambda leaf: np.array(leaf._data), state),
            output_weights=rng.uniform(0.5, 1.5, (steps, *shown.shape[1:])),
            state_weights=[rng.uniform(0.5, 1.5, leaf.shape) for leaf in pytree.leaves(state)],
        )


def _choices(inputs: Sequence[Any]) -> Array:
    """The values to draw from: integers, or numbers in the precision of the check."""
    found = np.asarray(inputs)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iuf":
        raise TypeError(f"inputs are the possible values of x, such as range(27); got {inputs!r}")
    return found.astype(np.float64) if found.dtype.kind == "f" else found


def complete(make: Callable[..., Any], sizes: dict[str, Any]) -> dict[str, Any]:
    """`sizes`, completed for arguments without a default: 2 for `input_size`, 3 for others."""
    found = dict(sizes)
    for name, parameter in inspect.signature(make).parameters.items():
        given = name in found or parameter.default is not parameter.empty
        if given or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if not (name.endswith("_size") or parameter.annotation in (int, "int")):
            raise TypeError(
                f"{inspect.unwrap(make).__name__} needs a value for {name!r} (only arguments "
                f"named ..._size or annotated int get small defaults): {name}=..."
            )
        found[name] = 2 if name == "input_size" else 3
    return found


@dataclass(frozen=True)
class Batch:
    """Sequences x (T, B, ...), an initial state, and weights that sum a run up to one number."""

    x: Array
    state: Any  # a pytree of arrays (B, ...)
    output_weights: Array  # (T, B, ...)
    state_weights: list[Array]  # of the last state's leaves

    def rows(self, chosen: Any) -> Batch:
        """Some of the sequences."""
        return Batch(
            self.x[:, chosen],
            pytree.map(lambda leaf: leaf[chosen], self.state),
            self.output_weights[:, chosen],
            [w[chosen] for w in self.state_weights],
        )

    def steps(self, chosen: Any) -> Batch:
        """Some of the steps, or all in another order."""
        return replace(self, x=self.x[chosen], output_weights=self.output_weights[chosen])

    def padded(self, steps: int, content: float) -> Batch:
        """With that many more steps at the end."""
        tail = np.full((steps, *self.x.shape[1:]), content)
        weights = np.ones((steps, *self.output_weights.shape[1:]))
        return replace(
            self,
            x=np.concatenate([self.x, tail]),
            output_weights=np.concatenate([self.output_weights, weights]),
        )

    @property
    def paddings(self) -> tuple[float, float]:
        """Two values for padding, neither of which may have any effect."""
        return (np.nan, 1e30) if is_floating(self.x) else (-1, 2**31 - 1)

    def leaves(self) -> tuple[Tensor, Any, list[Tensor]]:
        """x and the state as Tensors, and those of the state's leaves that have a gradient."""
        names = iter(leaf_names(self.state))
        x = from_numpy(self.x.copy()).named("x")
        if is_floating(self.x):
            x.requires_grad_()
        state = pytree.map(
            lambda leaf: from_numpy(leaf.copy()).named(f"initial {next(names)}"), self.state
        )
        floating = [
            leaf.requires_grad_() for leaf in pytree.leaves(state) if is_floating(leaf._data)
        ]
        return x, state, floating

    def results(
        self,
        network: Network,
        seed: int = 0,
        *,
        unrolled: bool = False,
        reverse: bool = False,
        lengths: Any = None,
        parts: Sequence[slice] = (slice(None),),
    ) -> Results:
        """Run over `parts` of the steps in turn, and back through them."""
        x, state, floating = self.leaves()
        shown: dict[int, Tensor] = {}
        with seeded(seed):
            last = state
            for number in network.order(len(parts)):
                shown[number], last = network.run(
                    x[parts[number]], last, unrolled=unrolled, reverse=reverse, lengths=lengths
                )
        output = (
            ops.concatenate([shown[n] for n in range(len(parts))]) if len(parts) > 1 else shown[0]
        )
        parameters = dict(network.module.named_parameters())
        gradients = self._gradients(
            [output, *pytree.leaves(last)], [x, *floating, *parameters.values()]
        )
        after = 1 + len(floating)
        return Results(
            output._data,
            [leaf._data for leaf in pytree.leaves(last)],
            gradients[0],
            gradients[1:after],
            dict(zip(parameters, gradients[after:], strict=True)),
            leaf_names(self.state),
        )

    def _gradients(self, results: list[Tensor], inputs: list[Tensor]) -> list[Array]:
        pairs = zip(results, [self.output_weights, *self.state_weights], strict=True)
        recorded = [(r, w) for r, w in pairs if r.requires_grad]
        found: Sequence[Any] = [None] * len(inputs)
        wanted = [x for x in inputs if x.requires_grad]
        if recorded and wanted:
            outs, weights = zip(*recorded, strict=True)
            by_input = dict(
                zip(map(id, wanted), grad(outs, wanted, list(weights), allow_unused=True))
            )
            found = [by_input.get(id(x)) for x in inputs]
        return [
            np.zeros(x.shape) if g is None else g._data for g, x in zip(found, inputs, strict=True)
        ]


def leaf_names(state: Any, name: str = "state") -> list[str]:
    """How to access each leaf in Python: `state[0]`, `state.h`, `state['h']`."""
    if state is None:
        return []
    if isinstance(state, dict):
        parts = [(f"{name}[{key!r}]", value) for key, value in state.items()]
    elif hasattr(state, "_fields"):
        parts = [(f"{name}.{field}", getattr(state, field)) for field in state._fields]
    elif isinstance(state, tuple | list):
        parts = [(f"{name}[{index}]", value) for index, value in enumerate(state)]
    else:
        return [name]
    return [found for inner, value in parts for found in leaf_names(value, inner)]


def with_leaves(nest: Any, floating: Sequence[Tensor]) -> Any:
    """The pytree with its floating-point leaves replaced."""
    rest = iter(floating)
    return pytree.map(lambda x: next(rest) if is_floating(x._data) else x, nest)
