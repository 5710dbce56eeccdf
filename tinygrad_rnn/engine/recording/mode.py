"""What is true of *now*: whether ops are recorded, where in the model we are, who is watching.

One immutable `Mode` per thread and per asyncio task, held in a context variable, so that no
thread can switch recording off under another.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from typing import Any, Protocol

from ..primitives.primitive import Primitive
from .node import Node
from .scope import Scope

__all__ = ["Mode", "ModeChange", "Observer", "enable_grad", "is_grad_enabled", "no_grad", "scope"]


class Watch(Protocol):
    """Someone who looks at every value and every gradient as it is made."""

    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        """Called with what `op` has just made from `inputs`, before anyone else sees it."""

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Called with the gradient for one input of `node`."""


class Observer(Protocol):
    """Someone who is told which values are given a name."""

    waits_for: Any  # a module, inside whose calls alone it looks; None inside them

    def inside(self, path: str) -> Observer:
        """The observer inside a call of the module that it waits for, which is at that path."""

    def named(self, node: Any, name: str) -> None:
        """Called with a value that has just been given a name."""


class Mode:
    """The settings that every op reads as it runs. Never changed: replaced by a new one.

    `twice`: whether gradients of gradients will be asked for, so that an op may save for them.
    """

    __slots__ = ("grad", "observer", "scope", "twice", "watch")

    def __init__(
        self,
        grad: bool = True,
        scope: Scope | None = None,
        watch: Watch | None = None,
        observer: Observer | None = None,
        twice: bool = False,
    ) -> None:
        self.grad = grad
        self.scope = scope
        self.watch = watch
        self.observer = observer
        self.twice = twice


MODE: ContextVar[Mode] = ContextVar("tinygrad_rnn.mode", default=Mode())  # noqa: B039  (immutable)
current_mode = MODE.get


class ModeChange(ContextDecorator):
    """A `with` block, or a decorated function, inside which some settings are different."""

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._tokens: list[Token[Mode]] = []  # a stack: the same object may be entered again

    def __enter__(self) -> ModeChange:
        now = current_mode()
        mode = Mode(now.grad, now.scope, now.watch, now.observer, now.twice)
        for name, value in self._changes.items():
            setattr(mode, name, value)
        self._tokens.append(MODE.set(mode))
        return self

    def __exit__(self, *error: object) -> None:
        MODE.reset(self._tokens.pop())


class no_grad(ModeChange):
    """Context manager and decorator: ops inside are computed and not recorded.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(grad=False)


class enable_grad(ModeChange):
    """Context manager and decorator: ops inside are recorded, also within `no_grad`.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(grad=True)


def is_grad_enabled() -> bool:
    """Whether ops are being recorded in this thread, here and now.

    >>> is_grad_enabled()
    True
    """
    return current_mode().grad


class scope(ModeChange):
    """Mark the ops inside with a place in the model, and optionally a time step.

    `name` is appended to the enclosing path with a dot. Pictures group by it and errors name it.
    Modules and recurrent layers open their own scopes; use it for parts of a function.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> with tg.scope("decoder", step=2):
    ...     y = tg.tanh(x)
    >>> y.scope
    Scope('decoder, step 2')
    """

    def __init__(self, name: str = "", step: int | None = None, *, module: object = None) -> None:
        self._tokens = []
        self._name = name
        self._step = step
        self._module = module  # whose call it is

    def __enter__(self) -> ModeChange:
        now = current_mode()
        outer, path, step = now.scope, self._name, self._step
        if outer is not None:
            path = f"{outer.path}.{path}" if outer.path and path else outer.path or path
            step = outer.step if step is None else step
        observer = now.observer
        if observer is not None and observer.waits_for is self._module is not None:
            observer = observer.inside(path)
        self._tokens.append(
            MODE.set(Mode(now.grad, Scope(path, step), now.watch, observer, now.twice))
        )
        return self
