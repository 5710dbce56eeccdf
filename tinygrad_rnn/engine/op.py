"""Op: a value and its vector-Jacobian product (VJP), both written as NumPy expressions.

    @op
    def cube(x):
        return x**3

    @cube.vjp
    def _(grad, out, x):
        return grad * 3 * x**2

From these two an op is executed on arrays, recorded on Tensors, differentiated again (the VJP,
run on Tensors, is itself recorded) and traced.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .guard import note_shared_inputs
from .mode import callers_line, current_mode
from .node import Node
from .reads import values_read
from .tensor import Tensor

if TYPE_CHECKING:
    Rule = Callable[..., Any]

__all__ = ["Op", "op"]

ndarray = np.ndarray
F = TypeVar("F", bound=Callable[..., Any])

_NO_ATTRIBUTES: dict[str, Any] = {}  # shared, so that a node is one object less to collect


class Op:
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

    selects = False  # whether this is the op that picks one of several outputs

    def __init__(
        self,
        value: Callable[..., Any],
        *,
        elementwise: bool = False,
        differentiable: bool = True,
        inserts_axes: bool = False,
        pure: bool = True,
        linear: bool = False,
    ) -> None:
        self.value = value
        self.name = self.__name__ = value.__name__
        self.__doc__ = value.__doc__
        self.__module__ = value.__module__
        self.__wrapped__ = value
        self.elementwise = elementwise
        self.differentiable = differentiable
        self.pure = pure  # whether the same inputs always give the same value
        self.linear = linear  # whether a sum over a leading axis may be taken before the op
        self.lifted: Callable[..., Any] | None = None  # the value with a leading axis, see `lift`
        self.places: Callable[..., Any] | None = None  # for an op that only puts its inputs side by
        # side: the parts of the result (result, *inputs, **attributes) where they go
        self._inserts_axes = inserts_axes  # whether `axis` counts the axes of the result
        self.input_names: list[str] = []
        self.variadic: str | None = None  # the name of the `*inputs`, if there are any
        self.attribute_names: list[str] = []
        self._defaults: dict[str, Any] = {}
        self._read_signature()
        self._attributes = frozenset(self.attribute_names)
        self.rules: list[Rule] = [partial(self._no_rule, name) for name in self.input_names]
        self._variadic_rule: Rule = partial(self._no_rule, self.variadic or "")
        self._variadic_rules: dict[int, Rule] = {}  # that rule for each position, once asked for
        self._reads: dict[str, frozenset[str]] = {}  # by each rule: whose values

    def _read_signature(self) -> None:
        for parameter in inspect.signature(self.value).parameters.values():
            has_default = parameter.default is not parameter.empty
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.variadic = parameter.name
            elif has_default or parameter.kind is parameter.KEYWORD_ONLY:
                self.attribute_names.append(parameter.name)
            else:
                self.input_names.append(parameter.name)
            if has_default:
                self._defaults[parameter.name] = parameter.default

    def __repr__(self) -> str:
        star = [f"*{self.variadic}"] if self.variadic else []
        attributes = [f"{name}=..." for name in self.attribute_names]
        return f"<op {self.name}({', '.join([*self.input_names, *star, *attributes])})>"

    # Declaring the gradient

    @overload
    def vjp(self, rule: F, /) -> F: ...
    @overload
    def vjp(self, rule: None = None, /, **rules: Rule) -> None: ...

    def vjp(self, rule: Any = None, /, **rules: Rule) -> Any:
        """Declare the gradient: a decorator for an op of one input, else one rule for each.

        A rule takes `(grad, out, *inputs, **attributes)`: the gradient of the loss with respect
        to the output, the output, and what the op was called with. It returns the gradient with
        respect to its input in the same vocabulary: `np.*` functions, operators, ops. It does not
        branch on data and does not write into its arguments. It may ignore broadcasting: the
        engine sums (or broadcasts) the result to the input's shape and casts it to its dtype.

        The rule of a `*inputs` parameter takes one more keyword, `position`: which of them.
        TypeError if the op has no input of that name.

        >>> import tinygrad_rnn as tg
        >>> @tg.op
        ... def scaled_product(x, y, *, scale=1.0):
        ...     return scale * x * y
        >>> scaled_product.vjp(
        ...     x=lambda grad, out, x, y, scale: grad * scale * y,
        ...     y=lambda grad, out, x, y, scale: grad * scale * x,
        ... )
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> scaled_product(x, 5.0, scale=2.0).backward()
        >>> x.grad
        tensor(10., dtype=float32)
        """
        known = [*self.input_names, *([self.variadic] if self.variadic else [])]
        if rule is not None:
            if len(known) != 1:
                raise TypeError(
                    f"op {self.name} has the inputs {', '.join(known)}: declare a rule for each, "
                    f"{self.name}.vjp({', '.join(f'{name}=...' for name in known)})"
                )
            rules = {known[0]: rule}
        for name, its_rule in rules.items():
            if name == self.variadic:
                self._variadic_rule, self._variadic_rules = its_rule, {}
            elif name in self.input_names:
                self.rules[self.input_names.index(name)] = its_rule
            else:
                raise TypeError(f"op {self.name} has no input {name!r}; it has {', '.join(known)}")
            self._reads[name] = frozenset(values_read(its_rule, ["out", *known]))
        return rule

    def lift(self, rule: F, /) -> F:
        """Decorator: declare how the op acts on inputs with a leading time axis.

        A compiled scan uses it to compute all time steps at once. The rule takes `(steps, timed,
        *inputs, **attributes)`: the size of the leading axis, for each input whether it has one,
        and what the op was called with. Elementwise ops need no rule; an op without one is run
        step by step.

        >>> import numpy as np, tinygrad_rnn as tg
        >>> @tg.op
        ... def total(x):
        ...     return np.sum(x)
        >>> @total.lift
        ... def _(steps, timed, x):
        ...     return np.sum(x.reshape(steps, -1), axis=1)
        >>> total.lifted(2, (True,), np.ones((2, 3)))
        array([3., 3.])
        """
        self.lifted = rule
        return rule

    def input_name(self, position: int) -> str:
        """The name of the parameter that the input at `position` belongs to."""
        if position < len(self.input_names):
            return self.input_names[position]
        return self.variadic or str(position)

    def rule(self, position: int) -> Rule:
        """The gradient rule for the input at `position`."""
        fixed = len(self.rules)
        if position < fixed:
            return self.rules[position]
        found = self._variadic_rules.get(position)
        if found is None:
            found = partial(self._variadic_rule, position=position - fixed)
            self._variadic_rules[position] = found
        return found

    def _no_rule(self, input_name: str, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"op {self.name} declares no gradient for its input {input_name!r}. Declare it with "
            f"{self.name}.vjp({input_name}=lambda grad, out, ...: ...), or detach() the input."
        )

    def positions_read(
        self, node: Node, relevant: dict[int, bool] | None = None
    ) -> Iterator[int | None]:
        """The positions (None: the output) whose values the gradients of `node` read.

        Only the rules that will run count: those of inputs that require a gradient and, where
        given, are `relevant`. To read a shape or a dtype is not to read a value.
        """
        names: set[str] = set()
        inputs = node.inputs or ()
        for position, x in enumerate(inputs):
            if isinstance(x, Node) and x.requires_grad:
                if relevant is None or x.number in relevant:
                    names |= self._reads.get(self.input_name(position), frozenset())
        if "out" in names:
            yield None
        yield from (i for i in range(len(inputs)) if self.input_name(i) in names)

    # Applying

    def __call__(self, *inputs: Any, **attributes: Any) -> Any:
        """The value for these inputs: recorded if one of them is a Tensor, see the class."""
        if attributes or self.attribute_names:
            if self.elementwise and "where" in attributes:
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
                values.append(x)
                if x.__class__ is ndarray:
                    shared = True
        try:
            data = self.value(*values, **attributes) if attributes else self.value(*values)
        except Exception as error:
            raise self.explained(error, values) from error
        if not any_node:
            return data
        mode = current_mode()
        kind: type[Node] = Tensor
        if data.__class__ is not ndarray:
            if data.__class__ is tuple:
                kind = Node
            else:
                data = np.asarray(data)
        if recorded and mode.grad and self.differentiable:
            node = kind.of(data, self, inputs, values, attributes or _NO_ATTRIBUTES, mode.scope)
        else:
            node = kind.of(data)
        if shared:
            note_shared_inputs(node)
        if mode.watch is not None:
            mode.watch.forward(self, node, inputs, attributes)
        return node if data.__class__ is not tuple else _outputs(node)

    def outputs(self, whole: Node) -> tuple[Tensor, ...]:
        """Each output of an application of an op of several, as a Tensor."""
        return _outputs(whole)

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
        attributes = {**self._defaults, **given}
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
        if self._inserts_axes:
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

    def explained(
        self, error: Exception, values: Sequence[Any], node: Node | None = None, what: str = ""
    ) -> Exception:
        """`error` with what was asked for, and where, in its message."""
        mode_scope = current_mode().scope if node is None else node.scope
        place = f" in {mode_scope}" if mode_scope is not None and str(mode_scope) else ""
        line = callers_line()
        message = f"{what}{self.name}({', '.join(map(_in_brief, values))}){place}: {error}" + (
            f" [called at {line}]" if line else ""
        )
        for kind in (np.exceptions.AxisError, TypeError, IndexError, ValueError, ZeroDivisionError):
            if isinstance(error, kind):
                return kind(message)
        error.add_note(message)
        return error


def _axes(x: Any) -> int:
    """The number of axes, asked of x itself: faster than through NumPy's protocol."""
    return int(x.ndim) if hasattr(x, "ndim") else np.ndim(x)


def _in_brief(value: Any) -> str:
    if isinstance(value, ndarray | np.generic):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    text = repr(value)
    return text if len(text) <= 40 else f"{type(value).__name__}"


def _select(whole: Any, *, index: int) -> Any:
    return whole[index]


class _Select(Op):
    """One output of an op that has several. The backward pass puts gradients into its place."""

    selects = True


select = _Select(_select)
select.name = "output"


def _outputs(whole: Node) -> tuple[Tensor, ...]:
    outputs = []
    for index, data in enumerate(whole._data):
        if whole.requires_grad and data.dtype.kind in "fc":
            output = Tensor.of(data, select, (whole,), [None], {"index": index}, whole.scope)
        else:
            output = Tensor.of(data)
        output.shared = whole.shared
        watch = current_mode().watch
        if watch is not None:
            watch.forward(select, output, (whole,), {"index": index})
        outputs.append(output)
    return tuple(outputs)


@overload
def op(value: Callable[..., Any], /) -> Op: ...
@overload
def op(
    *,
    elementwise: bool = ...,
    differentiable: bool = ...,
    inserts_axes: bool = ...,
    pure: bool = ...,
    linear: bool = ...,
) -> Callable[[Callable[..., Any]], Op]: ...


def op(value: Callable[..., Any] | None = None, /, **settings: bool) -> Any:
    """Declare an op by its value, a function of arrays. Its gradient follows with `Op.vjp`.

    `elementwise=True`: each element of the result depends on the elements at the same place (after
    broadcasting) alone; such an op also takes NumPy's `where=` mask. `differentiable=False`: the
    result is a constant, whatever the inputs. `inserts_axes=True`: the attribute `axis` counts the
    axes of the result rather than those of the first input. `pure=False`: the value is new in each
    call, as random numbers are. `linear=True`: linear in its only array, so that a compiled scan
    may sum over time before it rather than after.

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
        return lambda function: Op(function, **settings)
    return Op(value, **settings)
