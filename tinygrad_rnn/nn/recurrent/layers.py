"""Recurrent: any cell over whole sequences, stacked, in both directions."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ... import ops, pytree
from ...compiler.specialization import compiled_steps
from ...engine.recording.node import Node
from ...engine.tensor import Tensor, from_numpy
from ..functional import as_weights, wrong_features
from ..functional import dropout as apply_dropout
from ..module import Module
from ..parameter import Parameter
from .cell import Cell
from .inputs import as_tensor, check_names, check_shapes, is_nest
from .packing import checked_list
from .run import run
from .stack import check_cells, check_residual, placed
from .step import first_state
from .unregistered import warn_of_no_parameter

__all__ = ["Recurrent"]


class Recurrent(Module):
    """Run a cell over sequences of any length: stacked, in both directions, with gradients.

    `cell`: the cell of the first layer; the cells of further layers and of the other direction are
    constructed like it (`Cell.sibling`). Or a list of cells, one per layer, possibly of different
    kinds. `residual`: from the second layer on, a layer's input is added to its output (He et al.
    2016; Wu et al. 2016). `skip`: every layer is given x beside the output of the layer below, and
    the outputs are those of all layers side by side (Graves 2013, "Generating sequences with
    recurrent neural networks", Section 2); in a list, each cell's `input_size` counts both.
    `num_layers`: layers on top of each other. `bidirectional`: a second cell
    in each layer runs backwards in time; the outputs of both are concatenated. `reverse`: one
    direction only, backwards in time. `dropout`: the probability of dropout between layers in
    training mode, drawn from `generator` or the one that `tg.manual_seed` sets. `batch_first`:
    sequences are (B, T, I) instead of (T, B, I). `truncate=k`: truncated backpropagation through
    time; no gradient crosses from one block of k steps to another. `unroll=True` records every op
    of every step, for pictures, hooks and study; otherwise the whole sequence is one node, computed
    by a scan planned for the cell, with the same numbers. `checkpoint=k`: a scan keeps the state of
    about every k-th step (rounded to whole chunks of the loop) and recomputes the values in between
    for the backward pass. This costs one more forward pass and gives the same bits; with "sqrt",
    memory grows with the square root of T (Chen et al. 2016). `executor`: "numpy" or "llvm" for
    this layer, whatever `set_executor` has chosen for others.

    Called as `outputs, final_state = layer(x, state=None, lengths=None)`. x (T, B, I), or (T, I)
    for one sequence without a batch. outputs (T, B, directions * output size). A state is a list
    with the state of each cell, of any structure and shapes, at index `layer * directions +
    direction`. (`RNN`, `LSTM` and `GRU` stack them, as PyTorch does.) `lengths` (B,): the number of
    steps of each padded sequence. Outputs beyond it are zero, the final state is that of the last
    real step, and the padding has no effect.

    x may be a nest of Tensors, (T, B, ...) each, for cells that take one. Further inputs of a step
    are keyword arguments, `layer(x, dt=dt)`, (T, B, ...) each ((B, T, ...) with `batch_first`).
    Inputs that are the same at every step are given once: `layer(x, constants={"memory": memory})`,
    (B, ...) each. Both are passed to every cell that takes an input of that name, in each layer and
    direction. TypeError for a name that no cell takes, or a missing one (`Cell.step_inputs`).

    Parameters are named as in PyTorch: the cell's name, then `_l0`, `_l0_reverse`, `_l1`, ...

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.nn.LSTMCell(3, 4), num_layers=2)
    >>> outputs, [first, (h, c)] = layer(tg.zeros(5, 2, 3), lengths=[5, 3])
    >>> outputs.shape, h.shape, c.shape
    ((5, 2, 4), (2, 4), (2, 4))
    """

    def __init__(
        self,
        cell: Cell | Sequence[Cell],
        num_layers: int = 1,
        *,
        residual: bool = False,
        skip: bool = False,
        bidirectional: bool = False,
        reverse: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        truncate: int | None = None,
        unroll: bool = False,
        checkpoint: int | str | None = None,
        executor: str | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        check_cells(cell)
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is a probability, got {dropout}")
        if truncate is not None and truncate < 1:
            raise ValueError(f"truncate is a number of steps, at least 1, got {truncate}")
        if checkpoint not in (None, "sqrt") and not (
            isinstance(checkpoint, int) and checkpoint > 0
        ):
            raise ValueError(
                f"checkpoint is a number of steps, at least 1, or 'sqrt'; got {checkpoint!r}"
            )
        if residual and skip:
            raise ValueError("residual adds a layer's input to its output, skip hands x on: choose")
        if bidirectional and reverse:
            raise ValueError("bidirectional runs both directions already: leave out reverse")
        self.bidirectional = bidirectional
        self.reverse = reverse
        self.dropout = dropout
        self.batch_first = batch_first
        self.truncate = truncate
        self.unroll = unroll
        self.checkpoint = checkpoint
        self.executor = executor
        self.generator = generator
        self.residual, self.skip = residual, skip
        self._cells = placed(cell, num_layers, bidirectional, skip)  # l0, l0_reverse, l1, ...
        for given in [cell] if isinstance(cell, Cell) else cell:
            warn_of_no_parameter(given)
        self.num_layers = len(self._cells) // (1 + bidirectional)
        if residual:
            check_residual(self.cells)
        self._feature_axis = self.cells[0].feature_axis
        self._takes: dict[str, bool] = {}  # the further inputs of all cells; which are needed
        for cell in self.cells:
            for name, needed in cell.step_inputs().items():
                self._takes[name] = self._takes.get(name, False) or needed
        for name, parameter in self.named_parameters():
            parameter.name = name

    @property
    def cells(self) -> list[Cell]:
        """The cells, in the order of their states: `layer * directions + direction`."""
        return [*self._cells.values()]

    def _parts(self) -> Iterator[tuple[str, Parameter | Module]]:
        yield from super()._parts()
        yield from self._cells.items()

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        for place, cell in self._cells.items():
            for name, held in cell._state(prefix):
                yield f"{name}_{place}", held

    def _first_parameter(self) -> Parameter | None:
        for cell in self._cells.values():
            if (first := cell._first_parameter()) is not None:
                return first
        return None

    def __getattr__(self, name: str) -> Any:
        """The parameters by PyTorch's names, such as `weight_ih_l0`."""
        if not name.startswith("_"):
            for held_name, held in self._state():
                if held_name == name:
                    return held
        return super().__getattr__(name)  # type: ignore[misc]

    def forward(
        self,
        x: Any,
        state: Any = None,
        lengths: Any = None,
        *,
        constants: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> tuple[Any, Any]:
        """See the class. ValueError if shapes or lengths do not fit.

        A floating ndarray is cast to the dtype of the weights; TypeError for a wider Tensor, and
        for an input that is unknown or missing. Integers are passed on as they are, so a cell can
        use them as indices.
        """
        name = type(self).__name__
        constants = constants or {}
        if inputs or constants or self._takes:
            check_names(name, self._takes, inputs, constants)
            inputs = {name: self._tensors(tree) for name, tree in inputs.items()}
            constants = {name: self._tensors(tree) for name, tree in constants.items()}
        x = self._checked_input(x)
        batched = not isinstance(x, Tensor) or x.ndim > 1 - self._feature_axis
        if not batched:
            x, inputs = pytree.map(lambda leaf: ops.expand_dims(leaf, axis=1), (x, inputs))
            constants = pytree.map(lambda leaf: ops.expand_dims(leaf, axis=0), constants)
        elif self.batch_first:
            x, inputs = pytree.map(_first_two_exchanged, (x, inputs))
        steps, batch = pytree.leaves(x)[0].shape[:2]
        if inputs or constants or not isinstance(x, Tensor):
            check_shapes(name, {"x": x, **inputs}, constants, steps, batch)
        lengths = _checked_lengths(lengths, steps, batch)
        states = self._initial_states(state, batch, batched)
        outputs, finals = self._through_layers(x, states, lengths, inputs, constants)
        if not batched:
            outputs = pytree.map(lambda leaf: leaf[:, 0], outputs)
            return outputs, self._packed(pytree.map(_without_batch_axis, finals))
        if self.batch_first:
            outputs = pytree.map(_first_two_exchanged, outputs)
        return outputs, self._packed(finals)

    def _checked_input(self, x: Any) -> Any:
        """x, or the nest of them, as Tensors in the dtype of the weights."""
        x = self._tensors(x)
        size = vars(self).get("input_size")
        for leaf in pytree.leaves(x):
            if leaf.ndim < 2:
                raise ValueError(
                    f"{type(self).__name__} takes a sequence (T, B, features), or (T, features) "
                    f"without a batch; x has the shape {leaf.shape}"
                )
            if size is not None and leaf.shape[-1] != size:
                raise wrong_features(type(self).__name__, size, leaf)
        return x

    def _tensors(self, tree: Any) -> Any:
        """Tensors for arrays and lists of numbers, floating ones in the dtype of the weights."""
        if not isinstance(tree, Tensor | np.ndarray) and is_nest(tree):
            return pytree.map(self._tensors, tree)
        x = as_tensor(tree)
        own, first = x._data.dtype, self._first_parameter()
        if own.kind != "f" or first is None or first._data.dtype is own:
            return x
        dtype = np.result_type(*(p.dtype for p in self.parameters() if p.dtype.kind == "f"))
        if isinstance(tree, Node):  # its dtype was chosen
            return as_weights(x, dtype)
        return from_numpy(as_weights(x._data, dtype))

    def _through_layers(
        self,
        x: Any,
        states: list[Any],
        lengths: Any,
        inputs: Mapping[str, Any],
        constants: Mapping[str, Any],
    ) -> tuple[Any, list[Any]]:
        finals: list[Any] = []
        every: list[Any] = []  # the output of each layer
        first_x = _skipping(x) if self.skip else None
        cells = iter(self._cells.values())
        for layer in range(self.num_layers):
            if layer:
                x = pytree.map(self._dropped_out, x)
                if self.skip:
                    x = _side_by_side([first_x, x], self._feature_axis)
            outputs = []
            for direction in range(1 + self.bidirectional):
                cell = next(cells)
                output, final = run(
                    cell,
                    x,
                    states[len(finals)],
                    inputs if not inputs else _taken_by(cell, inputs),
                    constants if not constants else _taken_by(cell, constants),
                    reverse=self.reverse or bool(direction),
                    lengths=lengths,
                    truncate=self.truncate,
                    unrolled=self.unroll,
                    checkpoint=self.checkpoint,
                    executor=self.executor,
                )
                if layer < self.num_layers - 1:
                    _check_size(cell, output)
                outputs.append(output)
                finals.append(final)
            below = x
            x = _side_by_side(outputs, cell.feature_axis) if len(outputs) > 1 else outputs[0]
            if layer and self.residual:
                x = pytree.map(operator.add, below, x)
            every.append(x)
        return (_side_by_side(every, self._feature_axis) if self.skip else x), finals

    def _dropped_out(self, x: Tensor) -> Tensor:
        if x.dtype.kind not in "fc":
            return x
        dropped: Tensor = apply_dropout(x, self.dropout, self.training, self.generator)
        return dropped

    def _initial_states(self, state: Any, batch_size: int, batched: bool) -> list[Any]:
        """The state of each cell: as given, or the cells' own."""
        own = [first_state(cell, batch_size) for cell in self._cells.values()]
        if state is None:
            return own
        if batched:
            return self._unpacked(state, own)
        states = self._unpacked(state, pytree.map(_without_batch_axis, own))
        return [pytree.map(_with_batch_axis, *pair) for pair in zip(states, own, strict=True)]

    def _packed(self, states: list[Any]) -> Any:
        """The states of the cells as the layer returns them."""
        return states

    def _unpacked(self, state: Any, own: list[Any]) -> list[Any]:
        """The state of each cell, from the one given; `own`: states of the right structure."""
        return checked_list(type(self).__name__, state, own)

    def source(self, x: Any = None, *arguments: Any, **inputs: Any) -> str:
        """The generated Python code that scans of this layer run, forward and backward.

        Without an input, the code of all scans so far. Given one, the layer is called on it and the
        code of that call is returned. Empty where every step is recorded instead (`unroll=True`).

        >>> import tinygrad_rnn as tg
        >>> layer = tg.nn.RNN(3, 4)
        >>> print(layer.source(tg.zeros(5, 2, 3)).splitlines()[0])
        # l0: RNNCell on x (2, 3), forward
        """
        if x is not None:
            self(x, *arguments, **inputs)
        texts = []
        for place, cell in self._cells.items():
            for compiled in compiled_steps(cell)[-1 if x is not None else 0 :]:
                on = f"{type(cell).__name__} on x {compiled.step.xs[0].shape}"
                for program in filter(None, (compiled.forward, compiled.backward)):
                    direction = "forward" if program is compiled.forward else "backward"
                    texts.append(f"# {place}: {on}, {direction}\n{program.source}")
        return "\n".join(texts)

    def extra_repr(self) -> str:
        """The options that differ from the defaults."""
        options = {
            "num_layers": 1,
            "residual": False,
            "skip": False,
            "bidirectional": False,
            "reverse": False,
            "dropout": 0.0,
            "batch_first": False,
            "truncate": None,
            "unroll": False,
            "checkpoint": None,
            "executor": None,
        }
        values = ((name, getattr(self, name)) for name in options)
        return ", ".join(f"{name}={v!r}" for name, v in values if v != options[name])


def _taken_by(cell: Cell, given: Mapping[str, Any]) -> dict[str, Any]:
    takes = cell.step_inputs()
    return {name: value for name, value in given.items() if name in takes}


def _check_size(cell: Cell, output: Any) -> None:
    """ValueError if a step's output does not have the size that the next layer expects."""
    if isinstance(output, Tensor) and output.shape[cell.feature_axis] != cell.output_size:
        size = output.shape[cell.feature_axis]
        raise ValueError(
            f"a step of {type(cell).__name__} gives {size} features, not its output_size, "
            f"{cell.output_size}, for which the next layer was made: set self.output_size = {size}"
        )


def _skipping(x: Any) -> Tensor:
    """x, if it is what layers can be given beside an output. TypeError if not."""
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        kind = f"a Tensor of {x.dtype}" if isinstance(x, Tensor) else pytree.described(x)
        raise TypeError(
            "skip=True gives x to every layer beside the output of the layer below, so x is a "
            f"Tensor of floats; it is {kind}. Integers go through an nn.Embedding first"
        )
    return x


def _side_by_side(outputs: list[Any], axis: int) -> Any:
    """Outputs of one layer or of several, concatenated along the feature axis."""
    return pytree.map(lambda *sides: ops.concatenate(sides, axis=axis), *outputs)


def _first_two_exchanged(leaf: Any) -> Any:
    return ops.swapaxes(leaf, 0, 1)


def _without_batch_axis(leaf: Any) -> Any:
    return leaf[0] if leaf.ndim else leaf


def _with_batch_axis(leaf: Any, own: Any) -> Any:
    return ops.expand_dims(leaf, axis=0) if own.ndim else leaf


def _checked_lengths(lengths: Any, steps: int, batch_size: int) -> Any:
    if lengths is None:
        return None
    lengths = np.asarray(lengths._data if isinstance(lengths, Node) else lengths)
    if lengths.shape != (batch_size,) or (lengths.dtype.kind not in "iu" and lengths.size):
        raise ValueError(
            f"lengths must be {batch_size} integers, one a sequence; "
            f"got {lengths.dtype} of shape {lengths.shape}"
        )
    if lengths.size and (lengths.min() < 0 or lengths.max() > steps):
        raise ValueError(
            f"lengths from {lengths.min()} to {lengths.max()} for sequences of {steps} steps"
        )
    return lengths
