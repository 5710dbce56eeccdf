"""Module: networks as trees of named parts, as in PyTorch."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import pytree, torch_names
from ..engine.recording.guard import note_change
from ..engine.recording.mode import scope
from ..engine.tensor import Tensor, tensor
from .parameter import Parameter
from .summary import Summary, summarized

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Module"]

M = TypeVar("M", bound="Module")


class Module:
    """Base class of everything with parameters. Write `__init__` and `forward`; call the module.

    Attributes that are Parameters or Modules (or lists, tuples or dicts of Modules) are its parts,
    named by the attribute. Attributes whose names begin with an underscore are ignored. A call
    opens the scope of the module's name, which pictures and errors show.

    >>> import tinygrad_rnn as tg
    >>> class Affine(tg.nn.Module):
    ...     def __init__(self):
    ...         self.scale = tg.nn.Parameter([2.0])
    ...         self.shift = tg.nn.Parameter([1.0])
    ...     def forward(self, x):
    ...         return self.scale * x + self.shift
    >>> Affine()(3.0)
    tensor([7.], dtype=float32, op=add)
    >>> [name for name, _ in Affine().named_parameters()]
    ['scale', 'shift']
    """

    training: bool = True
    _name: str | None = None  # under which a parent holds it
    _buffer_names: tuple[str, ...] = ()

    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls: type[M], *arguments: Any, **keywords: Any) -> M:
        """Remember the arguments, so that `made_again` can construct another such module."""
        module = object.__new__(cls)
        object.__setattr__(module, "_made_with", (arguments, keywords))
        return module

    def made_again(self: M, others: dict[int, Module] | None = None, **changes: Any) -> M:
        """A new module of the same dtype, constructed with the same arguments except for `changes`.

        Its parameters are initialised anew and none is shared: Modules among the arguments, or in
        lists, tuples or dicts of them, are constructed again, too, and Parameters are copied.
        `others`: replacements for some of these Modules, by the id of the one replaced.
        """
        again: dict[int, Any] = {} if others is None else others

        def of(argument: Any) -> Any:
            if not isinstance(argument, Module | Parameter):
                return argument
            if id(argument) not in again:
                if isinstance(argument, Module):
                    again[id(argument)] = argument.made_again(again)
                else:
                    again[id(argument)] = deepcopy(argument)
            return again[id(argument)]

        arguments, keywords = self._made_with
        bound = inspect.signature(self.__init__).bind(*arguments, **keywords)  # type: ignore[misc]
        bound.arguments.update(changes)
        new = type(self)(*pytree.map(of, bound.args), **pytree.map(of, bound.kwargs))
        first = self._first_parameter()
        return new if first is None else new.astype(first.dtype)

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """The computation; subclasses implement it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Run `forward` inside the module's scope.

        TypeError if the arguments are not those of `forward`.
        """
        with scope(self._name or type(self).__name__, module=self):
            try:
                return self.forward(*inputs, **keywords)
            except TypeError as error:
                if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                    raise _wrong_call(self, inputs, keywords) from None  # forward has not begun
                raise

    if not TYPE_CHECKING:  # a type checker knows this package's own names only

        def __getattr__(self, name: str) -> Any:
            """A method by PyTorch's name, or an AttributeError that gives its name here."""
            if hasattr(type(self), name):  # a property that raised AttributeError itself
                return object.__getattribute__(self, name)
            if name in torch_names.MODULE:
                return MethodType(torch_names.MODULE[name], self)
            return torch_names.missing("Module", name, self, type(self).__name__)

    # The tree

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if not name.startswith("_"):
            for part_name, part in _parts_in(name, value):
                if isinstance(part, Module):
                    part._name = part_name
                else:
                    part.name = part_name

    def _parts(self) -> Iterator[tuple[str, Parameter | Module]]:
        """The direct parts, by name."""
        for name, value in vars(self).items():
            if not name.startswith("_"):
                yield from _parts_in(name, value)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct submodules with their names."""
        return ((name, part) for name, part in self._parts() if isinstance(part, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted paths; each module once."""
        seen: set[int] = set()
        waiting: list[tuple[str, Module]] = [(prefix, self)]
        while waiting:
            path, module = waiting.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            children = [(_joined(path, name), child) for name, child in module.named_children()]
            waiting.extend(reversed(children))

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted paths; a shared one is listed once."""
        return (
            (name, held) for name, held in _once_each(self, prefix) if isinstance(held, Parameter)
        )

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, for an optimiser."""
        return (parameter for _, parameter in self.named_parameters())

    def _first_parameter(self) -> Parameter | None:
        """The first of the parameters, without a walk over all parts: most often for its dtype."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter) and name[0] != "_":
                return value
            if isinstance(value, list | tuple | dict) and name[0] != "_":
                break
        return next(self.parameters(), None)

    def register_buffer(self, name: str, value: Any) -> None:
        """Hold a Tensor that is saved with the module and not learned, such as a running mean.

        `value`: a Tensor, which is kept as it is, or what `tg.tensor` takes.

        >>> import tinygrad_rnn as tg
        >>> module = tg.nn.Module()
        >>> module.register_buffer("mean", [0.0])
        >>> module.state_dict()
        {'mean': array([0.], dtype=float32)}
        """
        object.__setattr__(self, name, value if isinstance(value, Tensor) else tensor(value))
        if name not in self._buffer_names:
            object.__setattr__(self, "_buffer_names", (*self._buffer_names, name))

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted paths; a shared one is listed once."""
        return (
            (name, held)
            for name, held in _once_each(self, prefix)
            if not isinstance(held, Parameter)
        )

    # State

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers; a shared one is listed under each of its names, as in PyTorch."""
        for name, part in self._parts():
            if isinstance(part, Parameter):
                yield _joined(prefix, name), part
        for name in self._buffer_names:
            yield _joined(prefix, name), getattr(self, name)
        for name, child in self.named_children():
            yield from child._state(_joined(prefix, name))

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all parameters and buffers, as ndarrays by their dotted paths.

        Names and shapes are PyTorch's. A shared parameter is listed under each of its names.

        >>> import tinygrad_rnn as tg
        >>> {name: array.shape for name, array in tg.nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return {name: held._data.copy() for name, held in self._state()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copy arrays (ndarrays, Tensors, or PyTorch's) into the parameters of the same names.

        ValueError, with nothing changed, if shapes differ or values are not real numbers, or with
        `strict` if names are missing or unexpected. Arrays are cast to the parameters' dtypes.

        >>> import tinygrad_rnn as tg
        >>> old, new = tg.nn.Linear(3, 2), tg.nn.Linear(3, 2)
        >>> new.load_state_dict(old.state_dict())
        """
        held = dict(self._state())
        new = {name: np.asarray(getattr(v, "_data", v)) for name, v in state.items()}
        problems = [
            f"{name} has shape {new[name].shape}, the module's has {t.shape}"
            for name, t in held.items()
            if name in new and new[name].shape != t.shape
        ]
        problems += [
            f"{name} is {new[name].dtype}, the module's is {t.dtype}"
            for name, t in held.items()
            if name in new and not np.can_cast(new[name].dtype, t.dtype, "same_kind")
        ]
        if strict:
            problems += [
                f"missing: {name} {t.shape}" for name, t in held.items() if name not in new
            ]
            problems += [f"unexpected: {name}" for name in new if name not in held]
        if problems:
            raise ValueError(
                f"the state does not fit {type(self).__name__}: " + "; ".join(sorted(problems))
            )
        for name, t in held.items():
            if name in new:
                t._data[...] = new[name]
                note_change(t._data, "load_state_dict")

    def train(self: M, mode: bool = True) -> M:
        """Set training mode for this module and all below it (`Dropout` acts only in this mode)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Set evaluation mode for this module and all below it."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Clear the gradients of all parameters: `grad` becomes None."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Set `requires_grad` of all parameters; False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def astype(self: M, dtype: npt.DTypeLike) -> M:
        """Change all floating parameters and buffers to `dtype`, in place; returns the module.

        TypeError if `dtype` is not floating.

        >>> import tinygrad_rnn as tg
        >>> tg.nn.Linear(3, 2).astype("float64").weight.dtype
        dtype('float64')
        """
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"parameters are floating, such as float64; got {np.dtype(dtype)}")
        for _, held in _once_each(self):
            if held.dtype.kind == "f":
                held._data = held._data.astype(dtype)
                held.zero_grad()
        return self

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Call `fn` with this module and all below it, children first."""
        for module in reversed(list(self.modules())):
            fn(module)
        return self

    # Looking at it

    def summary(self, *inputs: Any, **keywords: Any) -> Summary:
        """The layers and parameters as a table, with shapes and sizes.

        Given the inputs of a call, it runs the module on them once, without recording a gradient,
        and also shows the shapes of the layers' outputs.

        >>> import tinygrad_rnn as tg
        >>> tg.nn.Linear(3, 2).summary()
        layer     shape   parameters
        Linear                     8
          weight  (2, 3)           6
          bias    (2,)             2
        8 parameters, 32 bytes
        """
        return summarized(self, inputs, keywords)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def extra_repr(self) -> str:
        """What `repr` shows between the module's parentheses; for subclasses to override."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [
            f"  {line}"
            for name, child in self.named_children()
            for line in f"({name}): {child!r}".split("\n")
        ]
        if not lines:
            return f"{type(self).__name__}({extra})"
        return "\n".join(
            [f"{type(self).__name__}(", *([f"  {extra}"] if extra else []), *lines, ")"]
        )


def _wrong_call(module: Module, inputs: Any, keywords: dict[str, Any]) -> TypeError:
    """The error for a call that does not fit `forward`, in terms of its signature."""
    name, signature = type(module).__name__, inspect.signature(module.forward)
    said = "wrong arguments"
    try:
        signature.bind(*inputs, **keywords)
    except TypeError as error:
        said = str(error)
    for keyword in keywords.keys() - signature.parameters.keys():
        near = difflib.get_close_matches(keyword, signature.parameters, 1)
        said += f" (did you mean {near[0]!r}?)" if near else ""
    known = ", ".join(str(p.replace(annotation=p.empty)) for p in signature.parameters.values())
    return TypeError(f"{name}: {said}; it is called with ({known})")


def _once_each(module: Module, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a module, each under its first name."""
    seen: set[int] = set()
    for name, held in module._state(prefix):
        if id(held) not in seen:
            seen.add(id(held))
            yield name, held


def _parts_in(name: str, value: Any) -> Iterator[tuple[str, Parameter | Module]]:
    """The parts that an attribute holds: itself, or the elements of a list, tuple or dict."""
    if isinstance(value, Parameter | Module):
        yield name, value
    elif isinstance(value, list | tuple):
        for i, element in enumerate(value):
            yield from _parts_in(f"{name}.{i}", element)
    elif isinstance(value, dict):
        for key, element in value.items():
            yield from _parts_in(f"{name}.{key}", element)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
