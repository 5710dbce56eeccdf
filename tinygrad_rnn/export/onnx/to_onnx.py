"""To ONNX: one file, with a Scan for each scan of the model, for any batch and length."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import __version__, nn, pytree
from ...engine.tensor import Tensor
from ...files import write_file
from ..errors import ExportError
from ..extras import imported
from ..program import Program, program_of, tensors_of
from ..program.axes import argument_names
from ..program.interpreter import Target, interpreted
from .graph import Dim, OnnxGraph, Value, element_type
from .layers import operator
from .ops import OPS
from .ufuncs import UFUNCS

__all__ = ["to_onnx"]

_OPSET, _IR_VERSION = 18, 9


def to_onnx(
    model: Callable[..., Any],
    path: str | os.PathLike[str],
    *inputs: Any,
    axes: str | Sequence[str] | None = None,
    **named: Any,
) -> list[str]:
    """Write the model to an ONNX file (opset 18); returns the names of its inputs.

    `inputs`, `named`: example arguments of the model, of which only shapes and dtypes matter; a
    layer or a cell needs no example of x. With `lengths=True` the file also takes the lengths of
    padded sequences. Inputs are named after the arguments of the model's `forward`; the leaves of a
    pytree are numbered (`state_0`). Outputs are `output_0`, `output_1`, ... in order. Batch and
    length are dynamic. `axes`: the names of the axes of each input, one word per axis, `_` for an
    axis of fixed size, as in "time batch _".

    A scan of a built-in cell becomes ONNX's LSTM, GRU or RNN (in float32; the runtime supports no
    other), with `lengths` as its `sequence_lens`. A scan of any other cell becomes a Scan of
    primitive operators, not unrolled. Integers are int64. A Module is exported as it is in
    `eval()`. The runtime draws random numbers (`rand_like`, `randn_like`), new ones in each run and
    at each step. `truncate=`, which affects only gradients, has no effect on the file.

    ImportError without the extra `onnx`; ExportError if the model cannot be exported.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.cells.MGUCell(3, 4))
    >>> tg.export.to_onnx(layer, "mgu.onnx", lengths=True)  # doctest: +SKIP
    ['x', 'lengths']
    """
    onnx = imported("onnx", "onnx", "ONNX")
    args = [*map(_array, inputs)] or [_input_of(model, named)]
    if named.get("lengths") is True:
        batch_axis = 0 if getattr(model, "batch_first", False) else 1
        named["lengths"] = np.zeros(args[0].shape[batch_axis], np.int64)
    named = {name: pytree.map(_array, x) for name, x in named.items() if x is not None}
    program = program_of(model, args, named, known=OPS.keys(), target="ONNX", axes=axes)
    names = _names(argument_names(model, args, named))
    graph = _Graph(program, {n: t._data for n, t in tensors_of(model).items()}, names).proto(onnx)
    made = onnx.helper.make_model(
        graph,
        producer_name="tinygrad_rnn",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(made)
    write_file(path, made.SerializeToString())
    return names


def _array(x: Any) -> Any:
    """An argument as an array."""
    return pytree.map(lambda leaf: leaf._data if isinstance(leaf, Tensor) else np.asarray(leaf), x)


def _input_of(model: Any, named: Any) -> Any:
    """An x for a layer or a cell that was given no example."""
    size = getattr(model, "input_size", None)
    if size is None and isinstance(model, nn.Recurrent):
        size = getattr(next(iter(model._cells.values())), "input_size", None)
    if "x" in named:
        return named.pop("x")
    if not isinstance(model, nn.Recurrent | nn.Cell) or not isinstance(size, int):
        raise ExportError(
            "to_onnx needs example arguments of the model, for their shapes and dtypes: "
            "to_onnx(model, path, x)"
        )
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    return np.zeros((2, size) if isinstance(model, nn.Cell) else (3, 2, size), dtype)


def _names(names: Sequence[str]) -> list[str]:
    """A name for each input: that of its argument, numbered if the argument is a pytree.

    >>> _names(["x", "state", "state"])
    ['x', 'state_0', 'state_1']
    """
    return [
        name if names.count(name) == 1 else f"{name}_{names[:k].count(name)}"
        for k, name in enumerate(names)
    ]


class _Graph(Target):
    """The graph of a program, which the interpreter builds as it runs the program."""

    name = "ONNX"

    def __init__(self, program: Program, state: dict[str, Any], names: Sequence[str]) -> None:
        self._program, self._names = program, names
        self._g = OnnxGraph()
        self.ops = {name: self._bound(function) for name, function in OPS.items()}
        step = program.step
        self._inputs = [Value(n, x.dtype, len(x.shape)) for n, x in zip(names, step.xs)]
        leaves = [
            self._g.constant(state[leaf], name=leaf)
            if isinstance(leaf, str)
            else self._g.constant(leaf)
            for leaf in program.leaves
        ]
        self._sizes = {
            name: self._size(value, axis)
            for value, axes in zip(self._inputs, program.axes)
            for axis, name in enumerate(axes)
            if name is not None
        }
        given = dict(zip((*step.xs, *step.leaves), (*self._inputs, *leaves), strict=True))
        sizes: Any = self._sizes
        self._results = interpreted(self, step.instructions, step.ys, given, sizes)

    def _bound(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *operands, **attributes: function(self._g, *operands, **attributes)

    def _size(self, x: Value, axis: int) -> Dim:
        int64 = np.dtype(np.int64)
        shape = self._g.add("Shape", x, dtype=int64, ndim=1)
        place = self._g.constant(axis, np.int64)
        return Dim(self._g, self._g.add("Gather", shape, place, axis=0, ndim=0))

    # The interpreter's interface

    def ufunc(self, name: str) -> Callable[..., Value] | None:
        found = UFUNCS.get(name)
        return None if found is None else self._bound(found)

    def constant(self, x: Any, dtype: Any) -> Value:
        return self._g.constant(x, dtype)

    def cast(self, x: Value, dtype: Any) -> Value:
        return self._g.cast(x, dtype)

    def result(self, x: Value, instruction: Any) -> Value:
        made = self._g.cast(x, instruction.dtype)
        return Value(made.name, made.dtype, len(instruction.shape))

    def loop(self, made: Any, given: Any, run: Callable[..., Any], length: Any) -> Sequence[Value]:
        found = operator(self._g, made, given)
        return self._scan(made, given, run, length) if found is None else found

    def _scan(self, made: Any, given: Any, run: Callable[..., Any], length: Any) -> list[Value]:
        g, int64 = self._g, np.dtype(np.int64)
        xs = list(given.xs)
        if given.lengths is not None or not xs:
            line = {"start": 0, "step": 1, "count": length, "dtype": int64}
            xs.append(self.ops["iota"](**line))
        lengths = None if given.lengths is None else g.cast(given.lengths, int64)
        carry = [Value(g.fresh("carry"), x.dtype, x.ndim) for x in given.carry]
        parts = [Value(g.fresh("x"), x.dtype, x.ndim - 1) for x in xs]
        with g.inside() as nodes:
            new, ys = run(parts[: len(given.xs)], carry, given.leaves)
            if lengths is not None:
                valid = g.add("Less", parts[-1], lengths, dtype=np.dtype(bool), ndim=1)
                new = [self._where(valid, n, old) for n, old in zip(new, carry)]
                ys = [self._where(valid, y, g.constant(0, y.dtype)) for y in ys]
            results = [g.add("Identity", x) for x in (*new, *ys)]
        body = _graph_proto("step", nodes, [*carry, *parts], results, {})
        names = g.add_all(
            "Scan",
            [*given.carry, *xs],
            len(results),
            body=body,
            num_scan_inputs=len(parts),
            scan_input_directions=[int(made.reverse)] * len(parts),
            scan_output_directions=[int(made.reverse)] * len(ys),
        )
        finals = [Value(n, x.dtype, x.ndim) for n, x in zip(names, new)]
        stacked = [Value(n, y.dtype, y.ndim + 1) for n, y in zip(names[len(new) :], ys)]
        return [*stacked, *finals]

    def _where(self, mask: Value, x: Value, y: Value) -> Value:
        if x.ndim > 1:
            axes = self._g.integers([*range(1, x.ndim)])
            mask = self._g.add("Unsqueeze", mask, axes, ndim=x.ndim)
        found: Value = self.ops["where"](mask, x, y)
        return found

    def proto(self, onnx: Any) -> Any:
        """The finished graph."""
        outputs = [
            self._g.add("Identity", x if isinstance(x, Value) else self._g.constant(x))
            for x in self._results
        ]
        for k, node in enumerate(self._g.nodes[len(self._g.nodes) - len(outputs) :]):
            node.output[0] = f"output_{k}"
        outputs = [Value(f"output_{k}", x.dtype, x.ndim) for k, x in enumerate(outputs)]
        shapes = {
            value.name: [size if name is None else name for size, name in zip(shape, axes)]
            for value, shape, axes in zip(
                self._inputs, self._program.shapes, self._program.axes, strict=True
            )
        }
        tensors = [
            onnx.numpy_helper.from_array(np.ascontiguousarray(x).reshape(x.shape), name)
            for name, x in self._used().items()
        ]
        return _graph_proto("model", self._g.nodes, self._inputs, outputs, shapes, tensors)

    def _used(self) -> dict[str, Any]:
        """The constants that a node reads."""
        read: set[str] = set()
        waiting = [*self._g.nodes]
        while waiting:
            node = waiting.pop()
            read.update(node.input)
            for attribute in node.attribute:
                waiting.extend(attribute.g.node)
                read.update(x.name for x in attribute.g.output)
        return {name: x for name, x in self._g.constants.items() if name in read}


def _graph_proto(
    name: str,
    nodes: Sequence[Any],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    shapes: dict[str, Any],
    tensors: Sequence[Any] = (),
) -> Any:
    from onnx import helper

    def info(x: Value) -> Any:
        shape = shapes.get(x.name, [None] * x.ndim)
        return helper.make_tensor_value_info(x.name, element_type(x.dtype), shape)

    return helper.make_graph(
        list(nodes), name, [*map(info, inputs)], [*map(info, outputs)], list(tensors)
    )
