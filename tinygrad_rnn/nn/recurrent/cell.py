"""Cell: one step of a recurrent network. The protocol that every cell, yours too, follows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ... import ops, pytree
from ...engine.dtypes import get_default_dtype, is_floating
from ...engine.node import Node
from ...engine.tensor import Tensor, from_numpy
from ..functional import as_weights, wrong_features
from ..module import Module

if TYPE_CHECKING:
    from ...compiler.report import PlanReport

__all__ = ["Cell"]

C = TypeVar("C", bound="Cell")


class Cell(Module):
    """One step of a recurrent network, composed from ops. Write `__init__` and `forward`.

    `forward(x, state)` takes x (B, input_size) and the state, any nest of tuples, named tuples,
    lists and dicts of Tensors, and returns the next state, of the same structure. The state
    starts as `initial_state`: one Tensor of zeros (B, hidden_size) unless overridden. The output
    of a step is the first leaf of its state unless `output` is overridden.

    `nn.Recurrent(cell)` runs it over sequences. To build cells for further layers, `Recurrent`
    makes the cell again with another `input_size`, so `__init__` takes an argument of that name.

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

    def forward(self, x: Tensor, state: Any) -> Any:
        """The next state; to be written by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(x, state)")

    def initial_state(self, batch_size: int) -> Any:
        """The state before the first step: zeros (batch_size, hidden_size)."""
        if not hasattr(self, "hidden_size"):
            raise NotImplementedError(
                f"{type(self).__name__} needs an attribute hidden_size or a method "
                "initial_state(batch_size)"
            )
        return self.zeros(batch_size, self.hidden_size)

    def output(self, state: Any) -> Tensor:
        """What a step shows to the outside: the first leaf of its state."""
        first: Tensor = pytree.leaves(state)[0]
        return first

    def zeros(self, *shape: int) -> Tensor:
        """Zeros in the dtype of the cell's parameters, for `initial_state`."""
        first = next(self.parameters(), None)
        dtype = get_default_dtype() if first is None else first._data.dtype
        return Tensor.of(np.zeros(shape, dtype))

    def sibling(self: C, input_size: int | None = None) -> C:
        """A new cell of the same dtype, made with the same arguments, or another `input_size`.

        Nothing is shared: Modules among the arguments are made again (`Module.made_again`), and
        cells among them that take this cell's input get the new `input_size`, too: those with the
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
        input_size: int | None = None,
        input_gradient: bool = True,
        lengths: bool = False,
        passes: bool = False,
    ) -> PlanReport:
        """How a scan of this cell is computed: before, in and after its loop, and at what cost.

        Print it: a table of all instructions by stage, and one of the lines of the cell's source
        with what each costs. `input_size`: for a cell without an attribute of that name.
        `input_gradient`: whether x gets a gradient, as between layers. `lengths`: whether the
        sequences are padded. `passes=True`: print the step after each pass of the compiler, too,
        with what the pass changed marked by + and -. ValueError if the cell can only be run step
        by step, or if no `input_size` is known.

        >>> import tinygrad_rnn as tg
        >>> plan = tg.nn.LSTMCell(8, 16).plan(batch_size=4)
        >>> loop, total = plan.total("forward", "loop"), plan.total("forward")
        >>> round(loop.flops / total.flops, 2)  # the rest is done for all steps at once
        0.69
        """
        from .plan import plan_of

        return plan_of(self, batch_size, steps, input_size, input_gradient, lengths, passes)

    def __call__(self, x: Any, state: Any = None) -> Any:
        """One step from `state` (None: the initial one); x (B, input_size) or (input_size,).

        Returns the next state. ValueError if x or `state` does not fit the cell, or if the next
        state's structure or shapes are not those of `state`. TypeError for a leaf of the state that
        is no array, or a Tensor of a wider dtype than the cell's own.
        """
        if np.ndim(x) == 1:
            state = None if state is None else pytree.map(_with_batch_axis, state)
            return pytree.map(lambda leaf: leaf[0], self(_with_batch_axis(x), state))
        if state is None:
            if not np.ndim(x):
                raise ValueError("a cell takes x (B, input_size) or (input_size,), not a number")
            state = self.initial_state(np.shape(x)[0])
        elif not all(isinstance(leaf, Node) for leaf in pytree.leaves(state)):
            state = self._as_state(x, state)
        observer = _observer.get()
        if observer is None:
            return _checked_step(self, x, state)
        return observer(self, partial(_checked_step, self), x, state)

    def _checked(self, x: Any, old: Any, new: Any) -> Any:
        """The new state, its dicts in the order of the old one's."""
        try:
            new = pytree.aligned(new, old)
            pairs = list(zip(pytree.leaves(old), pytree.leaves(new)))
            fits = all(a.shape == b.shape for a, b in pairs)
        except (ValueError, AttributeError):  # another structure, or a leaf that is no array
            fits = False
        if not fits:
            self._check_given(x, old)
            raise ValueError(
                f"{type(self).__name__}.forward must return a state like the one it got: "
                f"{pytree.described(old)}; it returned {pytree.described(new)}"
            )
        if any(a.dtype is not b.dtype for a, b in pairs):
            self._check_given(x, old)
        return new

    def _check_given(self, x: Any, state: Any) -> None:
        """Called when a step went wrong: was it the fault of what it was given?"""
        own = self.initial_state(np.shape(x)[0])
        size = getattr(self, "input_size", None)
        if is_floating(getattr(x, "_data", x)) and isinstance(size, int) and x.shape[-1] != size:
            raise wrong_features(type(self).__name__, size, x)
        self._as_state(x, state, own)

    def _as_state(self, x: Any, state: Any, own: Any = None) -> Any:
        """`state` with Tensors for its arrays; an error if it is not like the cell's own state."""
        own = self.initial_state(np.shape(x)[0]) if own is None else own
        try:
            pairs = list(
                zip(pytree.leaves(own), pytree.leaves(pytree.aligned(state, own)), strict=True)
            )
            fits = all(a.shape == np.shape(b) for a, b in pairs)
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                f"{type(self).__name__} on x of shape {np.shape(x)} takes a state like "
                f"{pytree.described(own)}; it was given {pytree.described(state)}"
            )
        return pytree.map(as_state, pytree.aligned(state, own), own)

    def extra_repr(self) -> str:
        """The arguments that the cell was made with."""
        arguments, keywords = self._made_with
        return ", ".join([*map(repr, arguments), *(f"{k}={v!r}" for k, v in keywords.items())])


def _modules_in(arguments: Any) -> list[Module]:
    return [leaf for leaf in pytree.leaves(arguments) if isinstance(leaf, Module)]


def _input_size(cell: Cell) -> int | None:
    """The size of x that a cell was made for, if it was made with one or says it."""
    arguments, keywords = cell._made_with
    bound = inspect.signature(cell.__init__).bind(*arguments, **keywords)  # type: ignore[misc]
    bound.apply_defaults()
    size: int | None = bound.arguments.get("input_size", getattr(cell, "input_size", None))
    return size


def _checked_step(cell: Cell, x: Any, state: Any) -> Any:
    """The next state, checked."""
    try:
        new = Module.__call__(cell, x, state)
    except (ValueError, TypeError):
        cell._check_given(x, state)
        raise
    return new if new is state else cell._checked(x, state, new)


def as_state(leaf: Any, own: Any) -> Tensor:
    """A leaf of a state that was given, in the dtype of the cell's own where it is an array.

    TypeError for what is neither a Tensor nor an ndarray, or a Tensor of a wider floating dtype.
    """
    if not isinstance(leaf, Node | np.ndarray | np.generic):
        raise TypeError(
            f"a state is made of Tensors or ndarrays; {leaf!r} in it is {type(leaf).__name__}. The "
            f"cell's own is {pytree.described(own)}"
        )
    if not isinstance(leaf, Tensor):
        leaf = np.asarray(leaf)
    leaf = as_weights(leaf, own.dtype, "the state")
    return leaf if isinstance(leaf, Tensor) else from_numpy(leaf)


Observer = Callable[[Cell, Callable[[Any, Any], Any], Any, Any], Any]
_observer: ContextVar[Observer | None] = ContextVar("tinygrad_rnn.observer", default=None)


def is_observed() -> bool:
    """Whether each step of a cell is observed here, so that a scan would hide them."""
    return _observer.get() is not None


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Let `observer(cell, step, x, state)` take every step that a cell takes, in this thread.

    It returns the next state, which is `step(x, state)` of what it was given or puts in its place.
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def _with_batch_axis(x: Any) -> Any:
    return ops.expand_dims(x, axis=0)
