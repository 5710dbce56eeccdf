"""Cell: one step of a recurrent network. The protocol that every cell follows, yours included."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ... import ops, pytree
from ...engine.dtypes import get_default_dtype
from ...engine.recording.node import Node
from ...engine.tensor import Tensor
from ..module import Module
from .inputs import parameters_of
from .step import batch_size, first_state, found_output_size, given_state, taken

if TYPE_CHECKING:
    from ...compiler.report import PlanReport
    from ..claims import Claim

__all__ = ["Cell"]

C = TypeVar("C", bound="Cell")


class Cell(Module):
    """One step of a recurrent network, composed from ops. Write `__init__` and a step.

    The step is one of two methods. `forward(x, state)` returns the next state, and the output is
    its first leaf: PyTorch's way. `step(x, state)` returns (output, next state), and takes
    precedence if a cell has both. x is (B, input_size) or a nest of Tensors (B, ...); so is the
    output. The state is any nest of tuples, named tuples, lists and dicts of Tensors, and keeps its
    structure. It starts as `initial_state`: one Tensor of zeros (B, hidden_size) unless overridden.

    Further arguments of either method are further inputs of a step, such as a time gap:
    `step(x, state, dt)` is called as `cell(x, state, dt=...)`, and a layer of it as
    `layer(x, dt=...)`.

    `output_size`: the number of features of an output; set it if it cannot be inferred (see there).
    `feature_axis`: their axis, counted from the end; -3 for images (B, C, H, W).

    `nn.Recurrent(cell)` runs it over sequences. For further layers, `Recurrent` constructs the cell
    again with another `input_size`, so `__init__` needs an argument of that name.

    >>> import tinygrad_rnn as tg
    >>> class LeakyCell(tg.nn.Cell):
    ...     def __init__(self, input_size, hidden_size):
    ...         self.hidden_size = hidden_size
    ...         self.linear = tg.nn.Linear(input_size + hidden_size, hidden_size)
    ...     def forward(self, x, h):
    ...         new = tg.tanh(self.linear(tg.concatenate([x, h], axis=-1)))
    ...         return 0.9 * h + 0.1 * new
    >>> outputs, [h] = tg.nn.Recurrent(LeakyCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape, h.shape
    ((5, 2, 4), (2, 4))
    """

    input_size: int
    hidden_size: int
    feature_axis: int = -1
    _has_step: bool = False  # whether the author wrote `step`, and not `forward`
    claims: Sequence[Claim] = ()
    """What is true of every step, such as `nn.claims.Affine()`; `check_cell` checks it."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if isinstance(getattr(cls, "output", None), FunctionType):
            raise TypeError(
                f"{cls.__name__}.output(state) is no longer asked. Write step instead of forward: "
                "def step(self, x, state): ...; return output, next_state"
            )
        cls._has_step = isinstance(getattr(cls, "step", None), FunctionType)
        if cls._has_step and "forward" in vars(cls):
            owner = next(kind for kind in cls.__mro__ if "step" in vars(kind))
            if not any(
                "forward" in vars(kind) for kind in owner.__mro__ if kind not in (Cell, Module)
            ):
                raise TypeError(
                    f"{cls.__name__} defines forward, but a step of it is {owner.__name__}.step: "
                    "define step(self, x, state) -> (output, next_state) instead"
                )

    if TYPE_CHECKING:
        step: Callable[..., tuple[Any, Any]]

    def forward(self, x: Any, state: Any) -> Any:
        """The next state; subclasses implement this or `step`."""
        raise NotImplementedError(
            f"{type(self).__name__} has no forward(x, state) -> next_state, nor a "
            "step(x, state) -> (output, next_state)"
        )

    def initial_state(self, batch_size: int) -> Any:
        """The state before the first step: zeros (batch_size, hidden_size)."""
        if not hasattr(self, "hidden_size"):
            raise NotImplementedError(
                f"{type(self).__name__} needs an attribute hidden_size or a method "
                "initial_state(batch_size)"
            )
        return self.zeros(batch_size, self.hidden_size)

    @cached_property
    def output_size(self) -> int:
        """The number of features of an output, which is the `input_size` of the next layer.

        By default it is the size of the state's first leaf. For a cell with a `step` it is the size
        of the output of a step on zeros or, if such a step cannot be run (no `input_size`, further
        inputs), the hidden size. Set it in `__init__` where the default is wrong.
        """
        return found_output_size(self)

    def step_inputs(self) -> dict[str, bool]:
        """The further inputs of a step, each with whether it is required.

        They are read from the signature of `step` or `forward`. If it has `**inputs`, those of the
        cells inside are included.

        >>> import tinygrad_rnn as tg
        >>> class DecayCell(tg.nn.RNNCell):
        ...     def forward(self, x, h, dt, mask=None):
        ...         return super().forward(x, tg.exp(-dt) * h)
        >>> DecayCell(3, 4).step_inputs()
        {'dt': True, 'mask': False}
        """
        method = type(self).step if self._has_step else type(self).forward
        names, passes_on = parameters_of(method)
        if not passes_on:
            return names
        found: dict[str, bool] = {}
        for cell in _cells_inside(self):
            for name, needed in cell.step_inputs().items():
                found[name] = found.get(name, False) or needed
        return {**found, **names}

    def zeros(self, *shape: int) -> Tensor:
        """Zeros in the dtype of the cell's parameters, for `initial_state`."""
        first = self._first_parameter()
        dtype = get_default_dtype() if first is None else first._data.dtype
        return Tensor.of(np.zeros(shape, dtype))

    def sibling(self: C, input_size: int | None = None) -> C:
        """A new cell of the same dtype and arguments, with another `input_size` if one is given.

        Nothing is shared: Modules among the arguments are constructed again (`Module.made_again`).
        Cells among them that take this cell's input get the new `input_size`, too: those with the
        `input_size` that this cell had or, if it has none, that the first of them had.

        TypeError if neither `__init__` nor a cell among its arguments takes an `input_size`.

        >>> import tinygrad_rnn as tg
        >>> tg.nn.LSTMCell(3, 4).sibling(8).input_size
        8
        """
        if input_size is None:
            return self.made_again()
        inner: list[Cell] = [
            cell for cell in _modules_in(self._made_with) if isinstance(cell, Cell)
        ]
        takes = "input_size" in inspect.signature(self.__init__).parameters  # type: ignore[misc]
        cells: list[Cell] = [self, *inner]
        sizes = [size for cell in cells if (size := _input_size(cell)) is not None]
        if not takes and not any(_input_size(cell) is not None for cell in inner):
            raise TypeError(
                f"{type(self).__name__}.__init__ needs an argument input_size, so that cells "
                "for further layers can be made"
            )
        others: dict[int, Module] = {
            id(cell): cell.sibling(input_size) for cell in inner if _input_size(cell) == sizes[0]
        }
        return self.made_again(others, **({"input_size": input_size} if takes else {}))

    def plan(
        self,
        batch_size: int = 1,
        steps: int = 100,
        *,
        input_size: int | tuple[int, ...] | None = None,
        input_dtype: DTypeLike | None = None,
        step_inputs: Mapping[str, tuple[int, ...]] | None = None,
        constants: Mapping[str, tuple[int, ...]] | None = None,
        input_gradient: bool = True,
        lengths: bool = False,
        passes: bool = False,
    ) -> PlanReport:
        """How a scan computes this cell: before, in and after the loop, and at what cost.

        Printing it shows a table of all instructions by stage, and one of the cell's source lines
        with the cost of each. `input_size`: for a cell without an attribute of that name; (C, H, W)
        for images. `input_dtype`: of x, if not the cell's own: "int64" for a cell that takes
        indices. `step_inputs`, `constants`: the shapes of further inputs in a row of the batch,
        such as {"dt": (1,)}, which is also assumed for required inputs that are not named.
        `input_gradient`: whether x gets a gradient, as between layers. `lengths`: whether the
        sequences are padded. `passes=True`: also print the step after each compiler pass, with the
        pass's changes marked by + and -. ValueError if the cell can only run step by step, or if
        its `input_size` is unknown.

        >>> import tinygrad_rnn as tg
        >>> plan = tg.nn.LSTMCell(8, 16).plan(batch_size=4)
        >>> loop, total = plan.total("forward", "loop"), plan.total("forward")
        >>> round(loop.flops / total.flops, 2)  # the rest is done for all steps at once
        0.69
        """
        from .plan import plan_of

        further = step_inputs or {}, constants or {}
        return plan_of(
            self,
            batch_size,
            steps,
            input_size,
            input_dtype,
            *further,
            input_gradient,
            lengths,
            passes,
        )

    def __call__(self, x: Any, state: Any = None, **inputs: Any) -> Any:
        """One step from `state` (None: the initial one), as the cell's author wrote it.

        x (B, input_size) or (input_size,), or a nest of Tensors (B, ...). Returns the next state,
        or (output, next state) if the cell has a `step`. `inputs`: further inputs of the step, (B,
        ...). ValueError if x or `state` does not fit the cell, or if the next state's structure or
        shapes are not those of `state`. TypeError for a leaf of the state that is not an array or
        is a Tensor of a wider dtype than the cell's own, and for an input that is unknown or
        missing.
        """
        output, new = self.advance(x, state, **inputs)
        return (output, new) if self._has_step else new

    def advance(self, x: Any, state: Any = None, **inputs: Any) -> tuple[Any, Any]:
        """One step of any cell, whichever method it defines: (output, next state).

        For cells built from other cells. Arguments and errors are those of a call.

        >>> import tinygrad_rnn as tg
        >>> output, (h, c) = tg.nn.LSTMCell(3, 4).advance(tg.zeros(2, 3))
        >>> output is h
        True
        """
        if isinstance(x, Tensor | np.ndarray):
            if x.ndim == -self.feature_axis:
                return self._advance_one(x, state, inputs)
        elif not np.ndim(pytree.leaves(x)[0]):
            x = np.asarray(x)
            if x.ndim:
                return self.advance(x, state, **inputs)
            raise ValueError("a cell takes x (B, input_size) or (input_size,), not a number")
        if state is None:
            state = first_state(self, batch_size(x))
        elif not all(map(_is_node, pytree.leaves(state))):
            state = given_state(self, x, state)
        observer = _observer.get()
        if observer is None:
            return taken(self, x, state, inputs)
        return observer(self, lambda x, state: taken(self, x, state, inputs), x, state)

    def _advance_one(self, x: Any, state: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
        """A step on one row without a batch axis."""
        if state is not None:
            state = pytree.map(_with_batch_axis, state)
        inputs = pytree.map(_with_batch_axis, inputs)
        found = self.advance(_with_batch_axis(x), state, **inputs)
        without: tuple[Any, Any] = pytree.map(lambda leaf: leaf[0] if leaf.ndim else leaf, found)
        return without

    def extra_repr(self) -> str:
        """The arguments that the cell was constructed with."""
        arguments, keywords = self._made_with
        return ", ".join([*map(repr, arguments), *(f"{k}={v!r}" for k, v in keywords.items())])


def _cells_inside(module: Module) -> list[Cell]:
    """The cells that a module holds, but not those that these hold."""
    found: list[Cell] = []
    for _, child in module.named_children():
        found += [child] if isinstance(child, Cell) else _cells_inside(child)
    return found


def _modules_in(arguments: Any) -> list[Module]:
    return [leaf for leaf in pytree.leaves(arguments) if isinstance(leaf, Module)]


def _input_size(cell: Cell) -> int | None:
    """The `input_size` of a cell: its attribute or the argument it was constructed with, if any."""
    arguments, keywords = cell._made_with
    bound = inspect.signature(cell.__init__).bind(*arguments, **keywords)  # type: ignore[misc]
    bound.apply_defaults()
    size: int | None = bound.arguments.get("input_size", getattr(cell, "input_size", None))
    return size


Observer = Callable[[Cell, Callable[[Any, Any], tuple[Any, Any]], Any, Any], tuple[Any, Any]]
_observer: ContextVar[Observer | None] = ContextVar("tinygrad_rnn.observer", default=None)


def is_observed() -> bool:
    """Whether each step of a cell is observed here, so that a scan would hide them."""
    return _observer.get() is not None


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Inside, `observer(cell, step, x, state)` takes every step of every cell in this thread.

    It returns the output and the next state: those of `step(x, state)`, or its own instead.
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def _is_node(leaf: Any) -> bool:
    return isinstance(leaf, Node)


def _with_batch_axis(x: Any) -> Any:
    return ops.expand_dims(x, axis=0)
