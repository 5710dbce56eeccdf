"""Op: a value and its vector-Jacobian product (VJP), both written as NumPy expressions.

    @op
    def cube(x):
        return x**3

    @cube.vjp
    def _(grad, out, x):
        return grad * 3 * x**2

From these two an op is executed on arrays, recorded on Tensors, differentiated again (the VJP,
run on Tensors, is itself recorded) and traced. `Primitive` holds them; here is their application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .count import Count, plain
from .keywords import numpys_keywords
from .primitives.primitive import Primitive, Rule, selection
from .recording.explain import explained
from .recording.guard import note_shared_inputs
from .recording.mode import current_mode
from .recording.node import Node
from .tensor import Tensor

__all__ = ["Op", "op"]

ndarray = np.ndarray

_NO_ATTRIBUTES: dict[str, Any] = {}  # shared, so that a node is one object less to collect


class Op(Primitive):
    """A differentiable function of arrays; made by the decorator `op`.

    Parameters of the function without a default are its **inputs**: Tensors, arrays or numbers.
    Those with a default, and keyword-only ones, are its **attributes**: fixed for an application
    and not differentiated. An attribute called `axis` may be given in any form that NumPy takes;
    the value and the VJP see it counted from the end, and None as all axes.

    Called on arrays and numbers alone an op returns an array, as a NumPy function would; with a
    Tensor among its inputs it returns a Tensor that knows where it came from. A value that is a
    tuple of arrays makes an op of several outputs; its VJP gets a tuple for `grad` and `out`.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> tg.sigmoid(np.array([0.0]))
    array([0.5])
    >>> tg.sigmoid(tg.tensor([0.0]))
    tensor([0.5], dtype=float32)
    """

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """The value for these inputs: recorded if one of them is a Tensor, see the class."""
        if attributes or self.attribute_names:
            if "where" in attributes and self.traits.elementwise:
                return self._masked(inputs, **attributes)
            inputs, attributes = self._bound(inputs, attributes)
        values = []
        any_node = recorded = shared = False
        for x in inputs:
            if isinstance(x, Node):
                any_node = True
                values.append(x._data)
                if x.requires_grad:
                    recorded = True
                if x.shared:
                    shared = True
            else:
                if x.__class__ is Count:
                    x, inputs = int(x), plain(inputs)
                values.append(x)
                if x.__class__ is ndarray:
                    shared = True
        try:
            data = self.value(*values, **attributes) if attributes else self.value(*values)
        except Exception as error:
            raise explained(error, self.name, values, current_mode().scope) from error
        if not any_node:
            return data
        mode = current_mode()
        kind: type[Node] = Tensor
        if data.__class__ is not ndarray:
            if data.__class__ is tuple:
                kind, data = Node, tuple(map(np.asarray, data))  # NumPy's scalars among them
            else:
                data = np.asarray(data)
        if recorded and mode.grad and self.traits.differentiable and _has_gradient(data):
            node = kind.of(data, self, inputs, values, attributes or _NO_ATTRIBUTES, mode.scope)
        else:
            node = kind.of(data)
        if shared:
            note_shared_inputs(node)
        if mode.watch is not None:
            mode.watch.forward(self, node, inputs, attributes)
        if data.__class__ is not tuple:
            return node
        outputs = node.outputs(Tensor)
        if mode.watch is not None:
            for index, output in enumerate(outputs):
                mode.watch.forward(selection(index), output, (node,), {})
        return outputs

    def _bound(
        self, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The call's inputs, and all of its attributes by name, axes counted from the end."""
        given, inputs = keywords, arguments
        if self.variadic is None and len(arguments) > len(self.input_names):
            most = len(self.input_names) + len(self.attribute_names)
            if len(arguments) > most:
                raise TypeError(
                    f"{self.name}(): takes at most {most} arguments, got {len(arguments)}; "
                    f"it is called as {self!r}"
                )
            inputs = arguments[: len(self.input_names)]
            given = dict(zip(self.attribute_names, arguments[len(inputs) :]))
            if twice := sorted(given.keys() & keywords.keys()):
                raise TypeError(f"{self.name}(): {twice} given twice; it is called as {self!r}")
            given |= keywords
        attributes = {**self.defaults, **given}
        if attributes.keys() != self._attributes:
            attributes = {**self.defaults} | numpys_keywords(self.name, given, self._attributes)
        if attributes.keys() != self._attributes:
            missing = [name for name in self.attribute_names if name not in attributes]
            unexpected = sorted(attributes.keys() - self._attributes)
            problem = f"missing {missing}" if missing else f"unexpected {unexpected}"
            raise TypeError(f"{self.name}(): {problem}; it is called as {self!r}")
        if "axis" in attributes and inputs:
            attributes["axis"] = self._axis_from_end(attributes["axis"], _axes(inputs[0]))
        return inputs, attributes

    def _axis_from_end(self, axis: Any, ndim: int) -> Any:
        if axis is None:
            return tuple(range(-ndim, 0))
        if self.traits.inserts_axes:
            ndim += len(axis) if isinstance(axis, tuple) else 1
        if axis.__class__ is int and -ndim <= axis < ndim:  # nearly always; the rest takes longer
            return axis if axis < 0 else axis - ndim
        try:
            axes = tuple(a - ndim for a in normalize_axis_tuple(axis, ndim))
        except Exception as error:
            raise type(error)(
                f"{self.name}: axis {axis} for an array of {ndim} axes: {error}"
            ) from None
        return axes if isinstance(axis, tuple | list) else axes[0]

    def _masked(self, inputs: tuple[Any, ...], *, where: Any, **attributes: Any) -> Any:
        """The op where the mask holds and 0 elsewhere, with no gradient (not even NaN) elsewhere.

        The inputs are replaced by 1 outside the mask *before* the op sees them, so that nothing
        undefined is computed in either pass.
        """
        safe = [np.where(where, x, 1) for x in inputs]
        return np.where(where, self(*safe, **attributes), 0)


def _has_gradient(data: Any) -> bool:
    """Whether a result has a gradient: whole numbers and flags are constants."""
    if data.__class__ is tuple:
        return any(map(_has_gradient, data))
    return data.dtype.kind in "fc"  # complex numbers are those of the complex step


def _axes(x: Any) -> int:
    """The number of axes, asked of x itself: faster than through NumPy's protocol."""
    return int(x.ndim) if hasattr(x, "ndim") else np.ndim(x)


@overload
def op(value: Callable[..., Any], /) -> Op: ...
@overload
def op(
    *,
    elementwise: bool = ...,
    differentiable: bool = ...,
    pure: bool = ...,
    linear: bool | str | Iterable[str] = ...,
    multilinear: bool | str | Iterable[str] = ...,
    reads: str | Iterable[str] | None = ...,
    commutative: bool = ...,
    associative: bool = ...,
    identity: float | None = ...,
    copies: bool = ...,
    chooser: str | None = ...,
    view: bool = ...,
    leading_axes: bool = ...,
    inserts_axes: bool = ...,
    symbol: str | None = ...,
    places: Rule | None = ...,
    section: Rule | None = ...,
    permutation: Rule | None = ...,
    contraction: Rule | None = ...,
) -> Callable[[Callable[..., Any]], Op]: ...


def op(value: Callable[..., Any] | None = None, /, **traits: Any) -> Any:
    """Declare an op by its value, a function of arrays. Its gradient follows with `Op.vjp`.

    The keywords declare what else is true of it, for the engine and the compiler; left out, they
    claim nothing, and all of them are explained at `Traits`. The ones that an op of your own is
    likely to need:

    `elementwise=True`: each element of the result depends on the elements at the same place (after
    broadcasting) alone; such an op also takes NumPy's `where=` mask. `differentiable=False`: the
    result is a constant, whatever the inputs. `inserts_axes=True`: the attribute `axis` counts the
    axes of the result rather than those of the first input. `pure=False`: the value is new in each
    call, as random numbers are. `linear="x y"`: linear in these inputs jointly (True: in all), so
    that a compiled scan may sum over time before it rather than after. `leading_axes=True`: an
    array with further axes in front is a batch, so that the op needs no batching rule.
    `symbol="⊙"`: how pictures write the op, instead of its name.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> @tg.op
    ... def cube(x):
    ...     return x**3
    >>> @cube.vjp
    ... def _(grad, out, x):
    ...     return grad * 3 * x**2
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> cube(x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.], dtype=float32)
    """
    if value is None:
        return lambda function: Op(function, **traits)
    return Op(value, **traits)
