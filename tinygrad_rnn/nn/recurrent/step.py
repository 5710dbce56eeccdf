"""One checked step of a cell, by whichever method it defines; errors say what is wrong."""

from __future__ import annotations

from contextlib import suppress
from types import FrameType
from typing import Any

import numpy as np

from ... import pytree
from ...engine.dtypes import is_floating
from ...engine.recording.mode import current_mode, no_grad, scope
from ...engine.recording.node import Node
from ...engine.recording.scope import PACKAGE_FOLDER
from ...engine.tensor import Tensor, from_numpy
from ...ops.random import use_generator
from ..functional import as_weights, wrong_features
from .inputs import check_names

__all__ = [
    "as_state",
    "batch_size",
    "first_state",
    "found_output_size",
    "given_state",
    "taken",
]

Cell = Any  # nn.Cell, which stands on this


def taken(cell: Cell, x: Any, state: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
    """The output and the next state of a step.

    ValueError or TypeError if what the cell was given or returned is wrong. A note of any error
    says which method of which cell it was, in which line, and at which step.
    """
    try:
        return _taken(cell, x, state, inputs)
    except Exception as error:
        _note_place(error, cell)
        raise


def _taken(cell: Cell, x: Any, state: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
    try:
        with scope(cell._name or type(cell).__name__, module=cell):
            if cell._has_step:
                result = cell.step(x, state, **inputs)
            else:
                result = cell.forward(x, state, **inputs)
    except (ValueError, TypeError):
        check_names(type(cell).__name__, cell.step_inputs(), inputs)
        _check_given(cell, x, state)
        raise
    if not cell._has_step:
        new = result if result is state else _checked(cell, x, state, result)
        return pytree.leaves(new)[0], new
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"{_method(cell)} must return a pair (output, next_state); it returned "
            f"{pytree.described(result)}{_here()}"
        )
    output, new = result
    _check_tensors(cell, output, "output")
    return output, new if new is state else _checked(cell, x, state, new)


def first_state(cell: Cell, batch_size: int) -> Any:
    """The cell's own first state. TypeError or ValueError for leaves that are not (B, ...)."""
    state = cell.initial_state(batch_size)
    for leaf in pytree.leaves(state):
        if not isinstance(leaf, Tensor):
            raise TypeError(
                f"the state that {_initial(cell, batch_size)} returns must be made of Tensors, "
                f"such as self.zeros(batch_size, ...); it returned {pytree.described(state)}"
            )
        if leaf.shape[:1] not in ((), (batch_size,)):
            raise ValueError(
                f"the state that {_initial(cell, batch_size)} returns must begin with the axis of "
                f"the batch, ({batch_size}, ...); it returned {pytree.described(state)}"
            )
    return state


def _initial(cell: Cell, batch_size: int) -> str:
    return f"{type(cell).__name__}.initial_state({batch_size})"


def given_state(cell: Cell, x: Any, state: Any, own: Any = None) -> Any:
    """`state` with Tensors for its arrays; an error if it is unlike the cell's own state."""
    own = first_state(cell, batch_size(x)) if own is None else own
    try:
        state = pytree.aligned(state, own)
        pairs = zip(pytree.leaves(own), pytree.leaves(state), strict=True)
        fits = all(a.shape == np.shape(b) for a, b in pairs)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{type(cell).__name__} on x of shape {_shape(x)} takes a state like "
            f"{pytree.described(own)}; it was given {pytree.described(state)}{_here()}"
        )
    return pytree.map(as_state, state, own)


def batch_size(x: Any) -> int:
    """The batch size of x, a Tensor or a nest of them."""
    return int(np.shape(x if isinstance(x, Tensor | np.ndarray) else pytree.leaves(x)[0])[0])


def found_output_size(cell: Cell) -> int:
    """The number of features of an output: see `Cell.output_size`."""
    axis, size = cell.feature_axis, getattr(cell, "input_size", None)
    if cell._has_step:
        if axis == -1 and isinstance(size, int) and not any(cell.step_inputs().values()):
            x, state = cell.zeros(1, size), cell.initial_state(1)
            aside = use_generator(np.random.default_rng(0))  # this step is nobody's: it draws apart
            with aside, no_grad(), suppress(IndexError, TypeError):  # where x is no vector
                output, _ = taken(cell, x, state, {})
                return int(pytree.leaves(output)[0].shape[axis])
        if hasattr(cell, "hidden_size"):
            return int(cell.hidden_size)
    return int(pytree.leaves(cell.initial_state(1))[0].shape[axis])


def as_state(leaf: Any, own: Any) -> Tensor:
    """A leaf of a given state; an array is cast to the dtype of the cell's own leaf.

    TypeError for anything but a Tensor or an ndarray, and for a Tensor of a wider floating dtype.
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


def _checked(cell: Cell, x: Any, old: Any, new: Any) -> Any:
    """The new state, with its dicts in the order of the old one's."""
    if _alike(old, new):
        return new
    try:
        new = pytree.aligned(new, old)
        pairs = list(zip(pytree.leaves(old), pytree.leaves(new)))
        fits = all(a.shape == b.shape for a, b in pairs)
    except (ValueError, AttributeError):  # another structure, or a leaf that is no array
        fits = False
    if not fits:
        _check_given(cell, x, old)
        _check_tensors(cell, new, "state")
        pair = ", and beside it the output: (output, next_state)" if cell._has_step else ""
        hint = " (is there a return?)" if new is None else ""
        raise ValueError(
            f"{_method(cell)} must return a state like the one it got: {pytree.described(old)}"
            f"{pair}; it returned {pytree.described(new)}{hint}{_here()}"
        )
    if any(a.dtype is not b.dtype for a, b in pairs):
        _check_given(cell, x, old)
        _check_dtypes(cell, old, new)
    _check_tensors(cell, new, "state")
    return new


def _alike(old: Any, new: Any) -> bool:
    """Whether two states are the same but for their numbers: nothing is left to check."""
    if isinstance(old, Node):
        if not isinstance(new, Node):
            return False
        a, b = old._data, new._data
        return bool(a.shape == b.shape and a.dtype is b.dtype)
    if old is None or type(old) is not type(new) or len(old) != len(new):
        return old is new
    if isinstance(old, dict):
        return [*old] == [*new] and all(map(_alike, old.values(), new.values()))
    return all(map(_alike, old, new))


def _check_dtypes(cell: Cell, old: Any, new: Any) -> None:
    """TypeError if the state has become wider than the cell's parameters."""
    own = [parameter.dtype for parameter in cell.parameters()]
    for before, after in zip(pytree.leaves(old), pytree.leaves(new), strict=True):
        if own and after.dtype != before.dtype and after.dtype.kind == "f":
            if np.result_type(after.dtype, *own) not in own:
                raise TypeError(
                    f"{_method(cell)} must return a state of the dtypes that it got, "
                    f"{pytree.described(old)}; it returned {pytree.described(new)}{_here()}. "
                    "NumPy's float64 numbers and arrays make a Tensor float64, and so do "
                    "integers in an array: use Python's numbers, or .astype(...)"
                )


def _check_tensors(cell: Cell, tree: Any, what: str) -> None:
    """TypeError for a leaf that is not a Tensor."""
    for leaf in pytree.leaves(tree):
        if not isinstance(leaf, Node):
            made = "an ndarray, through which no gradient flows" if isinstance(
                leaf, np.ndarray | np.generic) else f"{type(leaf).__name__}"  # fmt: skip
            raise TypeError(
                f"the {what} that {_method(cell)} returns must be made of Tensors; in "
                f"{pytree.described(tree)} a leaf is {made}: compute it with ops (tg.tanh, "
                f"np.tanh on a Tensor, ...), or wrap a constant in tg.tensor(...){_here()}"
            )


def _check_given(cell: Cell, x: Any, state: Any) -> None:
    """Called when a step fails: raises if its inputs were at fault."""
    own = first_state(cell, batch_size(x))
    size, axis = getattr(cell, "input_size", None), cell.feature_axis
    if is_floating(getattr(x, "_data", x)) and isinstance(size, int):
        if x.ndim < -axis or x.shape[axis] != size:
            raise wrong_features(type(cell).__name__, size, x, axis)
    given_state(cell, x, state, own)


def _method(cell: Cell) -> str:
    return f"{type(cell).__name__}.{'step' if cell._has_step else 'forward'}"


def _shape(x: Any) -> Any:
    return np.shape(x) if isinstance(x, Tensor | np.ndarray) else pytree.described(x)


def _here() -> str:
    where = current_mode().scope
    return f", in {where}" if where is not None and str(where) else ""


def _note_place(error: Exception, cell: Cell) -> None:
    """Note on an error where it came from: the innermost line that is not this package's."""
    if any(note.startswith(_PLACE) for note in getattr(error, "__notes__", ())):
        return  # of a cell inside this one
    frame: FrameType | None = None
    line, trace = 0, error.__traceback__
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
            frame, line = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    if frame is not None:
        file = frame.f_code.co_filename
    else:  # what it returned is wrong
        code = (cell.step if cell._has_step else cell.forward).__code__
        file, line = code.co_filename, code.co_firstlineno
        if file.startswith(PACKAGE_FOLDER):
            return
    error.add_note(f"{_PLACE}{_method(cell)}, {file}:{line}{_here()}")


_PLACE = "where: "
