"""Program: a call of a model, lowered, for every size of its named axes. Targets read it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import pytree
from ...compiler.ir.instruction import Instruction
from ...compiler.ir.step import Step, needed_for
from ...engine.recording.scope import PACKAGE_FOLDER
from ...engine.tensor import Tensor
from ...nn import Module
from ...ops.random import use_generator
from ..errors import ExportError
from .axes import argument_names, named_axes, sizes_of
from .expansion import expanded
from .generalization import generalized
from .recording import LengthsAreAnInput, Recorded, recorded
from .sizes import recording_sizes

__all__ = ["Program", "program_of", "random_ops", "tensors_of"]


def random_ops(step: Step) -> Iterator[Instruction]:
    """The instructions that draw random numbers, those in scans included."""
    for instruction in step.instructions:
        if "loop" in instruction.attributes:
            yield from random_ops(instruction.attributes["loop"].step)
        elif not instruction.is_ufunc and not instruction.traits.pure:
            yield instruction


@dataclass(frozen=True, eq=False)
class Program:
    """A model's call as a step: `step.xs` are the inputs, `step.ys` the outputs.

    `step.leaves` are all other values that it reads: `leaves[k]` is the name of a parameter or
    buffer, or an array for a constant.

    `shapes`: those of the given inputs; `axes`: the names of the axes that may change. `inputs`,
    `outputs`: the structures of (args, kwargs) and of what the model returns.
    """

    step: Step
    leaves: tuple[Any, ...]
    shapes: tuple[tuple[int, ...], ...]
    axes: tuple[tuple[str | None, ...], ...]
    inputs: Any
    outputs: Any


def tensors_of(model: Any) -> dict[str, Tensor]:
    """The parameters and buffers of a model by name; a shared one by its first name."""
    if not isinstance(model, Module):
        return {}
    return dict((*model.named_parameters(), *model.named_buffers()))


def program_of(
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    known: Collection[str],
    target: str,
    axes: str | Sequence[str] | None = None,
    kept: Sequence[Module] = (),
    training: bool = False,
) -> Program:
    """The program of `model(*args, **kwargs)` in the `known` ops.

    Only the shapes and dtypes of the arguments matter, not their values. A Module is recorded as it
    is in `eval()` or, for `training`, in `train()`. `kept`: the modules in it whose calls stay one
    op each. ExportError if it cannot be exported.
    """
    tree = (tuple(args), dict(kwargs))
    given, structure = pytree.leaves(tree), pytree.structure(tree)
    for x in given:
        if not hasattr(x, "shape"):
            raise ExportError(
                f"{target} expects arrays as inputs of a model, got {type(x).__name__}"
            )
    arguments = argument_names(model, args, kwargs)
    names = named_axes(axes, [len(x.shape) for x in given], arguments, model)
    sizes = recording_sizes([*dict.fromkeys(n for of in names for n in of if n is not None)])
    steps: list[Step] = []
    first: Recorded | None = None
    with _in_mode(model, training), _drawing_nothing(model), np.errstate(all="ignore"):
        for at in sizes:
            try:
                made = _recorded(model, structure, given, names, at, kept)
            except Exception as error:
                works = sizes[0]
                if first is None:  # if it runs at the sizes of the call, the sizes are the cause
                    works = dict(sizes_of([x.shape for x in given], names))
                    _recorded(model, structure, given, names, works, kept)
                if isinstance(error, ExportError):
                    raise
                raise _baked(error, works, at) from error
            first = first or made
            steps.append(expanded(made.step, known, target))
    assert first is not None
    of = {tensor: name for name, tensor in reversed(tensors_of(model).items())}
    step = generalized(steps, sizes)
    needed = needed_for(step.ys, step.instructions)
    return Program(
        Step(**{**_fields(step), "instructions": tuple(needed)}),
        tuple(of.get(source, source._data) for source in first.sources),
        tuple(tuple(x.shape) for x in given),
        tuple(names),
        structure,
        first.structure,
    )


def _fields(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in step.__dataclass_fields__}


@contextmanager
def _in_mode(model: Any, training: bool) -> Iterator[None]:
    modules = [*model.modules()] if isinstance(model, Module) else []
    modes = [module.training for module in modules]
    try:
        if modules:
            model.train(training)
        yield
    finally:
        for module, mode in zip(modules, modes):
            module.training = mode


@contextmanager
def _drawing_nothing(model: Any) -> Iterator[None]:
    """Recording uses up none of the user's random numbers: generators are restored afterwards."""
    modules = model.modules() if isinstance(model, Module) else ()
    own = [x for m in modules for x in vars(m).values() if isinstance(x, np.random.Generator)]
    states = [x.bit_generator.state for x in own]
    try:
        with use_generator(np.random.default_rng(0)):
            yield
    finally:
        for x, state in zip(own, states):
            x.bit_generator.state = state


def _recorded(
    model: Callable[..., Any],
    structure: Any,
    given: Sequence[Any],
    names: Sequence[Sequence[str | None]],
    sizes: Mapping[str, int],
    kept: Sequence[Module],
) -> Recorded:
    random = np.random.default_rng(0)
    inputs = [_example(x, axes, sizes, random) for x, axes in zip(given, names)]
    for _ in range(len(inputs) + 1):
        try:
            return recorded(model, structure, inputs, kept)
        except LengthsAreAnInput as found:
            like = inputs[found.position]._data
            inputs[found.position] = Tensor.of(np.full_like(like, found.steps))
    raise AssertionError("lengths that change while recording")


def _example(x: Any, axes: Sequence[str | None], sizes: Mapping[str, int], random: Any) -> Tensor:
    """Small random numbers in place of an input; zeros for integers, which may be indices."""
    pairs = zip(x.shape, axes, strict=True)
    shape = tuple(int(size) if name is None else sizes[name] for size, name in pairs)
    dtype = np.dtype(str(x.dtype).removeprefix("torch."))
    if dtype.kind == "f":
        return Tensor.of(np.asarray(0.5 * random.standard_normal(shape)).astype(dtype))
    return Tensor.of(np.zeros(shape, dtype))


def _baked(error: Exception, works: Mapping[str, int], at: Mapping[str, int]) -> ExportError:
    """The error for a model that runs at some sizes and not at others, with the failing line."""
    changed = {name: size for name, size in at.items() if works[name] != size}
    frames = traceback.extract_tb(error.__traceback__)
    users = [f for f in frames if not f.filename.startswith(PACKAGE_FOLDER)]
    line = f", at {users[-1].filename}:{users[-1].lineno}" if users else ""
    said = " and ".join(f"{name}={size}" for name, size in changed.items())
    was = " and ".join(f"{name}={works[name]}" for name in changed)
    return ExportError(
        f"a size is baked into the model{line}: it runs with {was} and not with {said} ({error}). "
        "Name the axes that may change with axes=, as in axes='time batch _'"
    )
