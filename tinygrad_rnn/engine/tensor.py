"""Tensor: an array that remembers how it was made, and so can be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from .autograd import propagate
from .count import Count
from .dtypes import as_array, is_floating
from .hooks import gradient_hook
from .operators import Operators
from .primitives.protocol import implementation
from .recording.guard import note_change, note_hand_out
from .recording.mode import current_mode
from .recording.node import Hooks, Node, Self
from .seed import seed

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["Tensor", "from_numpy", "tensor"]

_adding_up = Lock()  # of gradients: two threads may run backward passes to the same leaf


class Tensor(Operators["Tensor"], Node):
    """An n-dimensional array with automatic differentiation, over a NumPy ndarray.

    Made with `tensor` (copies) or `from_numpy` (shares memory). Operators, methods and NumPy's
    own functions on Tensors are recorded when an input requires a gradient; `backward` then fills
    `grad` of the leaves, as in PyTorch.

    In-place operators (`t += u`, `t[0] = 1`) change the array of a tensor that is not recorded. On
    one that is, `t += u` means `t = t + u`: no array that a gradient needs is changed.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.], dtype=float32)
    """

    __slots__ = ()

    def __new__(
        cls, data: Any = (), dtype: npt.DTypeLike | None = None, requires_grad: bool = False
    ) -> Tensor:
        """See `tensor`."""
        made = cls.of(as_array(data, dtype, copy=True))
        if requires_grad:
            made.requires_grad_()
        return made

    # The value

    @property
    def data(self) -> Array:
        """The ndarray itself, not a copy. Writing into it is seen by every holder of the tensor.

        A write between a forward pass and the backward pass that needs the old content is noticed
        by the backward pass (`StaleValueError`).

        `t.data = array` puts an ndarray, or a Tensor's, in its place, without a copy and with the
        dtype that it has, as in PyTorch. ValueError for another shape; TypeError for anything else,
        or for a dtype that is not floating where the tensor requires a gradient.
        """
        note_hand_out(self._data)
        self.shared = True
        return self._data  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: Any) -> None:
        array = value._data if isinstance(value, Node) else value
        if not isinstance(array, np.ndarray | np.generic):
            raise TypeError(
                f"data is an ndarray or a Tensor, not {type(value).__name__}: "
                f"t.data = np.array(value, {str(self.dtype)!r})"
            )
        array = as_array(np.asarray(array), None, copy=False)
        if self.requires_grad and array.dtype.kind not in "fc":
            raise TypeError(
                f"data of dtype {array.dtype} for a tensor that requires grad, which is floating "
                f"point: t.data = array.astype({str(self.dtype)!r})"
            )
        if array.shape != self._data.shape:
            raise ValueError(
                f"data of shape {array.shape} for a tensor of shape {self._data.shape}; "
                "a tensor keeps its shape: make a new one with tg.tensor(...)"
            )
        self._data = array
        self.shared = True

    def numpy(self) -> Array:
        """The ndarray, sharing memory. TypeError where that would silently leave the graph."""
        if self.requires_grad:
            raise TypeError(
                "numpy() on a tensor that requires grad would drop its graph; "
                "use t.detach().numpy(), or t.data to read the values"
            )
        return self.data

    def item(self) -> Any:
        """The only element, as a Python number. ValueError if there is not exactly one."""
        if self._data.size != 1:
            hint = "take an element, reduce it (t.sum()), or write tg.tanh(t) for math.tanh(t)"
            raise ValueError(f"a number is one element, this has shape {self.shape}: {hint}")
        return self._data.item()

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        return self._data.tolist()

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        return self._data.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return Count(self._data.size)

    def named(self: Self, name: str) -> Self:
        """Give it a name for pictures, plans, errors and `tg.observe`; returns the same object.

        >>> import tinygrad_rnn as tg
        >>> tg.sigmoid(tg.zeros(1)).named("forget gate")
        tensor([0.5], dtype=float32, name='forget gate')
        """
        self.name = name
        if (observer := current_mode().observer) is not None:
            observer.named(self, name)
        return self

    # The gradient

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have summed up here: same shape and dtype, or None."""
        return self._grad  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            value = value if isinstance(value, Tensor) else from_numpy(np.asarray(value))
            if value.shape != self.shape:
                raise ValueError(
                    f"a gradient of shape {value.shape} for a tensor of shape {self.shape}"
                )
        self._grad = value

    def zero_grad(self) -> None:
        """Forget the gradient: `grad` becomes None."""
        self._grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Switch recording for this leaf on or off; returns it.

        TypeError for a dtype that is not floating; RuntimeError if it is no leaf.
        """
        if requires_grad and not is_floating(self._data):
            raise TypeError(
                f"only floating-point tensors can require gradients; this one is {self.dtype}. "
                f"Use t.astype('float32')"
            )
        if not requires_grad and self.op is not None:
            raise RuntimeError(
                f"this tensor is a result of {self.op.name}: use detach() for one without history"
            )
        self.requires_grad = requires_grad
        return self

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Add the gradient of this tensor to `grad` of every leaf that it was computed from.

        `gradient`: the weight of each element, of this tensor's shape; may be left out for a
        tensor of one element. The graph is freed as it is walked unless `retain_graph` (or
        `create_graph`, which also records the backward pass, so that gradients have gradients).

        ValueError if `gradient` is missing or of the wrong shape; RuntimeError if nothing was
        recorded; `GraphFreedError` and `StaleValueError` as they say.

        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> tg.tanh(x).backward(tg.tensor([1.0, 0.0]))
        >>> x.grad
        tensor([0.41997433, 0.        ], dtype=float32)
        """
        found = propagate(
            [self],
            [seed(Tensor, self, gradient, create_graph)],
            create_graph=create_graph,
            retain_graph=retain_graph or create_graph,
        )
        with _adding_up:
            for node, grad in found.items():
                if node.requires_grad:
                    grad = grad if create_graph else Tensor.of(grad)
                    node._grad = grad if node._grad is None else node._grad + grad

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Call `hook(grad)` with this tensor's gradient in each backward pass that reaches it.

        What it returns, if not None, takes the gradient's place; the gradient that it is given
        cannot be written to. Returns a function that removes the hook again.

        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> remove = x.register_hook(lambda grad: grad * 10)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([20., 40.], dtype=float32)
        """
        if not self.requires_grad:
            raise RuntimeError("a hook on a tensor that requires no gradient would never be called")
        self._hooks = Hooks() if self._hooks is None else self._hooks
        return self._hooks.add(gradient_hook(hook, Tensor, self))

    def retain_grad(self) -> None:
        """Let backward passes also fill `grad` of this intermediate result."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad() on a tensor that requires no gradient")
        self._hooks = Hooks() if self._hooks is None else self._hooks
        self._hooks.retains_grad = True

    def detach(self) -> Tensor:
        """A tensor with the same array (shared) and no history: gradients stop here."""
        detached = Tensor.of(self._data)
        detached.shared = self.shared
        detached.name = self.name
        return detached

    # In-place changes

    def _update(self, ufunc: Any, other: Any) -> Tensor:
        """`self = ufunc(self, other)`, in place where no graph can see it."""
        if self._recording(other):
            if self.op is None and self.requires_grad:
                raise RuntimeError(_LEAF_IN_PLACE.format(ufunc.__name__))
            return implementation(ufunc)(self, other)  # type: ignore[no-any-return]
        other = other._data if isinstance(other, Node) else other
        ufunc(self._data, other, out=self._data, casting="same_kind")
        note_change(self._data, f"{ufunc.__name__} in place")
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write into the array. RuntimeError where the write would have to be recorded."""
        if self._recording(value):
            raise RuntimeError(
                "assigning into a tensor that is being recorded; use the function "
                "`t = tg.index_update(t, index, value)`, or `with tg.no_grad():`"
            )
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(part._data if isinstance(part, Node) else part for part in parts)
        self._data[parts] = value._data if isinstance(value, Node) else value
        note_change(self._data, "an assignment to t[...]")

    def _recording(self, other: Any) -> bool:
        others = isinstance(other, Node) and other.requires_grad
        return (self.requires_grad or others) and current_mode().grad

    # NumPy's protocols

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.requires_grad:
            raise TypeError(
                "turning a tensor that requires grad into an ndarray would drop its graph; "
                "use t.detach() first"
            )
        return np.array(self.data, dtype=dtype, copy=copy)

    # Python's protocols

    def __repr__(self) -> str:
        values = np.array2string(self._data, separator=", ", prefix="tensor(")
        notes = [f"dtype={self.dtype}"]
        if self.op is not None:
            notes.append(f"op={self.op.name}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        if self.name is not None:
            notes.append(f"name={self.name!r}")
        return f"tensor({values}, {', '.join(notes)})"

    def __format__(self, spec: str) -> str:
        """A tensor of one element as its number: `f"{loss:.3f}"`."""
        if spec and self._data.size != 1:
            raise TypeError(
                f"the format {spec!r} is for one number, and this tensor has shape {self.shape}: "
                "reduce it first, or format the elements of t.tolist()"
            )
        return format(self.item(), spec) if spec else str(self)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        item: SupportsIndex = self.item()
        return item.__index__()

    __hash__ = object.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        """For `copy` and `pickle`: a leaf is made again, as a node with a number of its own."""
        if self.op is not None:
            raise RuntimeError(
                f"only leaves can be copied or pickled; this is a result of {self.op.name}: "
                "detach() it, or use t.copy() for a copy that gradients flow through"
            )
        state = self._data, self.requires_grad, self.name, self.shared, self._grad
        return _made_again, (type(self), *state)


def _made_again(
    kind: type[Tensor],
    data: Array,
    requires_grad: bool,
    name: str | None,
    shared: bool,
    grad: Tensor | None,
) -> Tensor:
    """A leaf like another one, see `Tensor.__reduce__`."""
    made = kind.of(data)
    made.requires_grad, made.name, made.shared, made._grad = requires_grad, name, shared, grad
    return made


_LEAF_IN_PLACE = (
    "{} in place on a leaf that requires grad would lose the leaf; "
    "write `with tg.no_grad():` around an update, or `t = t + u` for a new tensor"
)


def tensor(data: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A Tensor with a copy of `data`: numbers, nested lists, an ndarray or a Tensor.

    As in PyTorch, Python floats become the default dtype (float32), Python ints int64 and bools
    bool; NumPy data keeps its dtype unless `dtype` is given. TypeError for data that is not
    numeric, or if `requires_grad` and the dtype is not floating.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    """
    return Tensor(data, dtype, requires_grad)


def from_numpy(array: Array) -> Tensor:
    """A Tensor that shares the memory of `array`: a change of one is a change of both.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> t = from_numpy(a)
    >>> a[0] = 5
    >>> t
    tensor([5., 0.], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy takes an ndarray, not {type(array).__name__}; use tg.tensor")
    made = Tensor.of(as_array(array, None, copy=False))
    made.shared = True
    return made
