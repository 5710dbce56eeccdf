"""To PyTorch: an `nn.Module` whose weights have the same names; and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn, pytree
from ...engine.tensor import Tensor
from ..extras import imported
from ..program import Program, program_of, tensors_of
from ..program.axes import sizes_of
from ..program.interpreter import Target, interpreted
from .modules import called, counterpart
from .ops import UFUNCS, ops

__all__ = ["from_torch", "to_torch"]

Value = Any


def to_torch(model: Callable[..., Any], *, axes: str | Sequence[str] | None = None) -> Any:
    """The model as a `torch.nn.Module`, with the same weights under the same names.

    `nn.LSTM`, `nn.GRU` and `nn.RNN` become PyTorch's own, and so do a layer of `ProjectedLSTMCell`
    (with `proj_size`), Linear, Embedding and Dropout. Other modules run PyTorch's ops, and each
    scan becomes a loop over time. The module is called like the model, with PyTorch tensors,
    including `lengths=`. If the model itself is a layer that exists in PyTorch, it takes PyTorch's
    arguments instead.

    It can be trained, moved to a device and saved. Its `state_dict()` has the names used here, and
    `model.load_state_dict(from_torch(module.state_dict()))` loads trained weights back. Modules
    that PyTorch lacks are recorded at their first call, once in `train()` and once in `eval()`, so
    their dropout works as it does here. Random numbers (`rand_like`, `randn_like`) are PyTorch's:
    `torch.manual_seed` seeds them. `axes`: see `to_jax`. ExportError if the model cannot be
    exported.

    >>> import torch, tinygrad_rnn as tg  # doctest: +SKIP
    >>> module = tg.export.to_torch(tg.nn.LSTM(3, 4))  # doctest: +SKIP
    >>> outputs, (h, c) = module(torch.zeros(5, 2, 3))  # doctest: +SKIP
    """
    torch = imported("torch", "peers", "PyTorch")
    made = counterpart(model) if isinstance(model, nn.Module) else None
    if made is None:
        return _module(model, axes)
    dtype = next((t._data.dtype for t in tensors_of(model).values()), np.dtype(np.float32))
    made.to(_dtype(dtype))
    state = {name: torch.tensor(t._data) for name, t in tensors_of(model).items()}
    made.load_state_dict(state)
    return made


def from_torch(state: Any) -> dict[str, npt.NDArray[Any]]:
    """The `state_dict()` of a PyTorch module as arrays, for `Module.load_state_dict`.

    The names are kept. bfloat16, which NumPy lacks, becomes float32.

    >>> import torch, tinygrad_rnn as tg  # doctest: +SKIP
    >>> layer, theirs = tg.nn.GRU(3, 4), torch.nn.GRU(3, 4)  # doctest: +SKIP
    >>> layer.load_state_dict(tg.export.from_torch(theirs.state_dict()))  # doctest: +SKIP
    """
    torch = imported("torch", "peers", "PyTorch")
    if isinstance(state, torch.nn.Module):
        state = state.state_dict()
    if not isinstance(state, Mapping):
        raise TypeError(
            f"from_torch takes a state_dict or a torch.nn.Module, not {type(state).__name__}"
        )
    return {str(name): _array(x) for name, x in state.items()}


def _array(x: Any) -> npt.NDArray[Any]:
    x = x.detach().cpu()
    array: npt.NDArray[Any] = (x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy().copy()
    return array


@cache
def _dtype(dtype: Any) -> Any:
    import torch

    return torch.bool if np.dtype(dtype) == bool else getattr(torch, np.dtype(dtype).name)


def _module(model: Any, axes: str | Sequence[str] | None) -> Any:
    """A module for the programs of a model, with its weights and its counterparts."""
    import torch

    class Exported(torch.nn.Module):
        """A model from tinygrad_rnn: its weights, and its ops as PyTorch's."""

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            tree = (args, kwargs)
            leaves = pytree.leaves(tree)
            inputs = [torch.as_tensor(x._data if isinstance(x, Tensor) else x) for x in leaves]
            kinds = [(x.ndim, str(x.dtype)) for x in inputs]
            key = str((pytree.structure(tree), kinds, self.training))
            if key not in programs:
                args, kwargs = pytree.unflatten(pytree.structure(tree), inputs)
                programs[key] = program_of(
                    model,
                    args,
                    kwargs,
                    known=table.keys(),
                    target="PyTorch",
                    axes=axes,
                    kept=kept,
                    training=self.training,
                )
            return _applied(self, programs[key], inputs, table, paths)

        def extra_repr(self) -> str:
            return f"from {getattr(model, '__name__', type(model).__name__)}"

    table, programs = ops(), dict[str, Program]()
    made, paths, kept = Exported(), dict[Any, str](), list[Any]()
    tensors = tensors_of(model)
    for path, module in _named_counterparts(model, tensors):
        _place(made, path).add_module(path.rpartition(".")[2], to_torch(module))
        paths[module] = path
        kept.append(module)
    there = made.state_dict().keys()
    for name, tensor in tensors.items():
        if name not in there:
            at, own = _place(made, name), name.rpartition(".")[2]
            value = torch.tensor(tensor._data)
            if isinstance(tensor, nn.Parameter):
                value = torch.nn.Parameter(value, tensor.requires_grad)
                at.register_parameter(own, value)
            else:
                at.register_buffer(own, value)
    return made.train(getattr(model, "training", True))


def _named_counterparts(model: Any, tensors: Mapping[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    """The modules that PyTorch has, and that hold their weights under their own paths."""
    for path, module in model.named_modules() if isinstance(model, nn.Module) else ():
        own = tensors_of(module)
        if path and all(tensors.get(f"{path}.{name}") is own[name] for name in own):
            if counterpart(module) is not None:
                yield path, module


def _place(root: Any, path: str) -> Any:
    """The module that holds this path; created if there is none."""
    import torch

    for name in path.split(".")[:-1]:
        if name not in root._modules:
            root.add_module(name, torch.nn.Module())
        root = root._modules[name]
    return root


def _applied(
    module: Any, program: Program, inputs: Sequence[Any], table: Any, paths: Mapping[Any, str]
) -> Any:
    weights = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    first = next(iter(weights.values()), inputs[0] if inputs else None)
    target = _Torch(table, {m: module.get_submodule(path) for m, path in paths.items()}, first)
    sizes = sizes_of([x.shape for x in inputs], program.axes, program.shapes)
    leaves = [
        weights[leaf] if isinstance(leaf, str) else target.constant(leaf, None)
        for leaf in program.leaves
    ]
    step = program.step
    given = dict(zip((*step.xs, *step.leaves), (*inputs, *leaves), strict=True))
    results = interpreted(target, step.instructions, step.ys, given, sizes)
    return pytree.unflatten(program.outputs, results)


class _Torch(Target):
    name = "PyTorch"

    def __init__(self, table: Any, modules: Mapping[Any, Any], like: Any) -> None:
        import torch

        self.ops, self._torch, self._modules = table, torch, modules
        self._device = getattr(like, "device", None)
        self._constants: dict[Any, Any] = {}

    def ufunc(self, name: str) -> Callable[..., Value] | None:
        found: Callable[..., Value] | None = getattr(self._torch, UFUNCS.get(name, name), None)
        return found

    def constant(self, x: Any, dtype: Any) -> Value:
        key = (id(x), dtype)
        if key not in self._constants:
            array = np.asarray(x, dtype)
            made = self._torch.tensor(array, dtype=_dtype(array.dtype), device=self._device)
            self._constants[key] = (x, made)
        return self._constants[key][1]

    def cast(self, x: Value, dtype: Any) -> Value:
        wanted = _dtype(dtype)
        return x if x.dtype is wanted and x.device == self._device else x.to(self._device, wanted)

    def module(self, operands: Sequence[Value], **call: Any) -> Sequence[Value]:
        given, ours = pytree.unflatten(call["tree"], operands), call["module"]
        return pytree.leaves(called(ours, self._modules[ours], given))

    def loop(self, made: Any, given: Any, run: Callable[..., Any], length: int) -> Sequence[Value]:
        torch, xs, carry, lengths = self._torch, given.xs, given.carry, given.lengths
        if lengths is not None:
            xs = [_filled(x, lengths) for x in xs]
        each = [x.unbind(0) for x in xs]
        ys: list[Any] = []
        for t in range(length)[:: -1 if made.reverse else 1]:
            if made.truncate is not None and made.detaches(t, length):
                carry = [_detached(leaf, t + made.reverse, lengths) for leaf in carry]
            new, y = run([x[t] for x in each], carry, given.leaves)
            if lengths is not None:
                valid = t < lengths
                new = [torch.where(_beside(valid, n), n, old) for n, old in zip(new, carry)]
                y = [torch.where(_beside(valid, leaf), leaf, torch.zeros_like(leaf)) for leaf in y]
            carry = new
            ys.append(y)
        if made.reverse:
            ys.reverse()
        return [*(torch.stack(leaf) for leaf in zip(*ys)), *carry]


def _detached(x: Value, at: int, lengths: Value) -> Value:
    """x without the gradient of the rows that are longer than that."""
    import torch

    stopped = x.detach()
    return stopped if lengths is None else torch.where(_beside(lengths > at, x), stopped, x)


def _beside(mask: Value, x: Value) -> Value:
    return mask.reshape(mask.shape + (1,) * (x.ndim - 1))


def _filled(x: Value, lengths: Value) -> Value:
    """x with the first input of each sequence in its padding, which no gradient reaches."""
    import torch

    valid = torch.arange(x.shape[0], device=x.device)[:, None] < lengths
    valid = valid.reshape(valid.shape + (1,) * (x.ndim - 2))
    rows = torch.arange(x.shape[1], device=x.device)
    source = torch.where(lengths > 0, rows, torch.argmax(lengths))
    return torch.where(valid, x, x.detach()[0][source])
