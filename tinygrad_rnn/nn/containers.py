"""Sequential, ModuleList and ModuleDict: modules that hold others in order or by name.

A plain list or dict of modules as an attribute is registered, too; these are modules themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class Sequential(Module):
    """Modules, or functions of one argument such as `tg.tanh`, applied one after the other.

    TypeError for what cannot be called.

    >>> import tinygrad_rnn as tg
    >>> net = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.tanh, tg.nn.Linear(4, 2))
    >>> net(tg.zeros(5, 3)).shape
    (5, 2)
    >>> net
    Sequential(
      (0): Linear(in_features=3, out_features=4, bias=True)
      (1): tanh
      (2): Linear(in_features=4, out_features=2, bias=True)
    )
    """

    def __init__(self, *modules: Module | Callable[[Any], Any]) -> None:
        for i, module in enumerate(modules):
            if isinstance(module, type) or not callable(module):
                raise TypeError(f"Sequential takes modules and functions; number {i} is {module!r}")
            setattr(self, str(i), module if isinstance(module, Module) else _Function(module))

    def forward(self, x: Any) -> Any:
        """`x` through all modules in order."""
        for _, module in self.named_children():
            x = module(x)
        return x

    def __getitem__(self, index: int) -> Module:
        return [module for _, module in self.named_children()][index]

    def __len__(self) -> int:
        return len(list(self.named_children()))


class _Function(Module):
    """A function wrapped as a module."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def forward(self, x: Any) -> Any:
        """The function's value."""
        return self._function(x)

    def __repr__(self) -> str:
        return getattr(self._function, "__name__", repr(self._function))


def _checked(module: Any, name: str) -> Module:
    if not isinstance(module, Module):
        raise TypeError(f"{name} is no Module but {type(module).__name__}")
    return module


class ModuleList(Module):
    """A list of modules, named "0", "1", ... in `state_dict`; it has no `forward` of its own.

    >>> import tinygrad_rnn as tg
    >>> layers = tg.nn.ModuleList([tg.nn.Linear(2, 2) for _ in range(3)])
    >>> layers.append(tg.nn.Linear(2, 1))[-1].out_features
    1
    >>> len(layers), sorted(layers.state_dict())[:2]
    (4, ['0.bias', '0.weight'])
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def _children(self) -> list[Module]:
        return [child for _, child in self.named_children()]

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end; returns the list."""
        place = str(len(self))
        setattr(self, place, _checked(module, f"number {place}"))
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end; returns the list."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at `index`."""
        children = self._children()
        children.insert(index, _checked(module, f"number {index}"))
        self._set(children)

    def _set(self, modules: list[Module]) -> None:
        for place in range(len(self)):
            delattr(self, str(place))
        self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return ModuleList(self._children()[index])
        return self._children()[index]

    def __setitem__(self, index: int, module: Module) -> None:
        place = range(len(self))[index]
        setattr(self, str(place), _checked(module, f"number {place}"))

    def __delitem__(self, index: int | slice) -> None:
        children = self._children()
        del children[index]
        self._set(children)

    def __len__(self) -> int:
        return len(self._children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._children())


class ModuleDict(Module):
    """A dict of modules, whose keys appear in `state_dict`; it has no `forward` of its own.

    ValueError for a name that is already an attribute of every module, such as "forward".

    >>> import tinygrad_rnn as tg
    >>> heads = tg.nn.ModuleDict({"mean": tg.nn.Linear(2, 1), "spread": tg.nn.Linear(2, 1)})
    >>> list(heads), heads["mean"](tg.zeros(3, 2)).shape
    (['mean', 'spread'], (3, 1))
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, replacing those of the same name."""
        for name, module in dict(modules).items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        return dict(self.named_children())[name]

    def __setitem__(self, name: str, module: Module) -> None:
        if hasattr(type(self), name) or name.startswith("_") or "." in name:
            raise ValueError(f"{name!r} cannot be the name of a module in a ModuleDict")
        setattr(self, name, _checked(module, repr(name)))

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def __len__(self) -> int:
        return len(list(self.named_children()))

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.named_children())

    def __contains__(self, name: str) -> bool:
        return name in dict(self.named_children())

    def keys(self) -> Iterable[str]:
        """The names, in the order in which they were added."""
        return [name for name, _ in self.named_children()]

    def values(self) -> Iterable[Module]:
        """The modules."""
        return [module for _, module in self.named_children()]

    def items(self) -> Iterable[tuple[str, Module]]:
        """Pairs of name and module."""
        return list(self.named_children())
