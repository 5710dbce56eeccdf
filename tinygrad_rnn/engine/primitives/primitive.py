"""Primitive: an op as mathematics. Its value, its gradient rules, its batching rule, its traits.

A primitive is functions of arrays and statements about them. It knows no Tensor and no graph:
`op` applies it to Tensors, `autograd` runs its gradient rules, the compiler asks for its traits.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from functools import cache, partial
from typing import Any, NoReturn, TypeVar, overload

import numpy as np

from .protocol import FUNCTIONS
from .reads import OUTPUT, signature, values_read
from .traits import Traits

__all__ = ["Primitive", "Rule", "primitive_of", "selection", "traits_of"]

Rule = Callable[..., Any]
_MOST_SIGNATURES = 1024  # of one op, of which it is kept what its rules read
F = TypeVar("F", bound=Rule)


class Primitive:
    """A function of arrays with its gradient; the traits are those of `Traits`.

    Parameters of the function without a default are its **inputs**, those with one, and
    keyword-only ones, its **attributes**. `linear` and `multilinear` are names of inputs, as a
    string with spaces or a sequence, or True for all.

    >>> import numpy as np
    >>> double = Primitive(lambda x: 2 * x, linear=True)
    >>> double.vjp(lambda grad, out, x: 2 * grad)(np.ones(2), None, np.ones(2))
    array([2., 2.])
    >>> double.traits.linear
    frozenset({'x'})
    """

    def __init__(
        self,
        value: Callable[..., Any],
        *,
        linear: bool | str | Iterable[str] = (),
        multilinear: bool | str | Iterable[str] = (),
        reads: str | Iterable[str] | None = None,
        **traits: Any,
    ) -> None:
        self.value = value
        self.name = self.__name__ = value.__name__
        self.__doc__ = value.__doc__
        self.__module__ = value.__module__
        self.__wrapped__ = value
        self.input_names: list[str] = []
        self.variadic: str | None = None  # the name of the `*inputs`, if there are any
        self.attribute_names: list[str] = []
        self.defaults: dict[str, Any] = {}  # of the attributes
        self._read_signature()
        self._attributes = frozenset(self.attribute_names)
        self.traits = Traits(
            linear=self._names(linear),
            multilinear=self._names(multilinear),
            reads=None if reads is None else self._names(reads, "out"),
            **traits,
        )
        self.rules: list[Rule] = [partial(self._no_rule, name) for name in self.input_names]
        self._variadic_rule: Rule = partial(self._no_rule, self.variadic or "")
        self._variadic_rules: dict[int, Rule] = {}  # that rule for each position, once asked for
        self.joint_rule: Rule | None = None  # see `vjp_of_all`
        self._batching: Rule | None = None
        self.tangent: Rule | None = None  # see `pushes`
        self._reads: dict[Any, frozenset[int]] = {}  # by rule and signature, or by number of inputs

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
                self.defaults[parameter.name] = parameter.default

    def _all_inputs(self) -> list[str]:
        return [*self.input_names, *([self.variadic] if self.variadic else [])]

    def _names(self, declared: bool | str | Iterable[str], *others: str) -> frozenset[str]:
        """Names of inputs as a trait declares them."""
        if isinstance(declared, bool):
            return frozenset(self._all_inputs() if declared else ())
        names = frozenset(declared.split() if isinstance(declared, str) else declared)
        known = [*others, *self._all_inputs()]
        if unknown := sorted(names - set(known)):
            raise TypeError(
                f"op {self.name} has no input {unknown[0]!r}; it has {', '.join(known)}"
            )
        return names

    def __repr__(self) -> str:
        star = [f"*{self.variadic}"] if self.variadic else []
        attributes = [f"{name}=..." for name in self.attribute_names]
        return f"<op {self.name}({', '.join([*self.input_names, *star, *attributes])})>"

    def linear_in(self, position: int) -> bool:
        """Whether the value is linear in the input at `position`, the others held fixed.

        >>> import tinygrad_rnn as tg
        >>> tg.mul.linear_in(1), tg.div.linear_in(1)
        (True, False)
        """
        return self.input_name(position) in self.traits.linear | self.traits.multilinear

    # Gradient rules

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

        To know which values a change would spoil, the engine may call a rule once more than the
        gradients need, with stand-ins for the arrays, for each combination of shapes.

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
        known = self._all_inputs()
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
        self._reads.clear()
        return rule

    def vjp_of_all(self, rule: F, /) -> F:
        """Decorator: declare one rule that finds the gradients of all inputs together.

        It takes what every rule takes, and returns a list with the gradient of each input, None for
        zero. The arrays are the engine's, which may write into them: nobody else holds them, and
        none is listed twice.

        >>> product = Primitive(lambda x, y: x * y)
        >>> both = product.vjp_of_all(lambda grad, out, x, y: [grad * y, grad * x])
        >>> product.rule(1)(np.ones(1), None, np.array([2.0]), np.array([3.0]))
        array([2.])
        """
        self.joint_rule = rule
        return rule

    def rule(self, position: int) -> Rule:
        """The gradient rule for the input at `position`."""
        joint = self.joint_rule
        if joint is not None:
            return lambda *given, **attributes: joint(*given, **attributes)[position]
        fixed = len(self.rules)
        if position < fixed:
            return self.rules[position]
        found = self._variadic_rules.get(position)
        if found is None:
            found = partial(self._variadic_rule, position=position - fixed)
            self._variadic_rules[position] = found
        return found

    def input_name(self, position: int) -> str:
        """The name of the parameter that the input at `position` belongs to."""
        if position < len(self.input_names):
            return self.input_names[position]
        return self.variadic or str(position)

    def _no_rule(self, input_name: str, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"op {self.name} declares no gradient for its input {input_name!r}. Declare it with "
            f"{self.name}.vjp({input_name}=lambda grad, out, ...: ...), or detach() the input."
        )

    def positions_read(
        self, wanted: Iterable[int], out: Any, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> Set[int]:
        """Whose values the gradients for the `wanted` inputs read: positions, or `OUTPUT`.

        To read a shape or a dtype is not to read a value. Found by running each rule once for
        inputs of these shapes and dtypes (see `reads`), unless `Traits.reads` says it.
        """
        found: Set[int] = frozenset()
        names, count = self.traits.reads, len(inputs)
        if names is not None:
            if count not in self._reads:
                found = {i for i in range(count) if self.input_name(i) in names}
                self._reads[count] = frozenset(found | {OUTPUT} if "out" in names else found)
            return self._reads[count]
        try:
            form = signature((out, *inputs, attributes))
        except TypeError:  # of an object that may be any: nothing to find it again by
            form = None
        for position in wanted:
            read = self._reads.get((position, form)) if form is not None else None
            if read is None:
                read = values_read(self.rule(position), out, inputs, attributes)
                if form is not None:
                    if len(self._reads) >= _MOST_SIGNATURES:
                        self._reads.clear()
                    self._reads[position, form] = read
            found |= read
        return found

    # Tangents

    def pushes(self, rule: F, /) -> F:
        """Decorator: how an op that is a program by itself takes tangents of its inputs forward.

        Others need no such rule: what takes tangents forward is their VJP, transposed. An op that
        can transpose its own, as a whole, takes `(tangents, *inputs)` here, with None for an input
        without a tangent, and returns the tangents of its outputs.
        """
        self.tangent = rule
        return rule

    # Batching

    @property
    def lifted(self) -> Rule | None:
        """The value on inputs with a leading time axis, see `lift`; None if there is no rule."""
        if self._batching is None and self.traits.leading_axes:
            return self._as_it_is
        return self._batching

    def _as_it_is(self, steps: int, timed: Any, *inputs: Any, **attributes: Any) -> Any:
        return self.value(*inputs, **attributes)

    def lift(self, rule: F, /) -> F:
        """Decorator: declare how the op acts on inputs with a leading time axis.

        A compiled scan uses it to compute all time steps at once. The rule takes `(steps, timed,
        *inputs, **attributes)`: the size of the leading axis, for each input whether it has one,
        and what the op was called with. Elementwise ops need no rule, nor do those of one array
        that are declared with `leading_axes=True`; an op without one is run step by step.

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
        self._batching = rule
        return rule


@cache
def selection(index: int) -> Primitive:
    """The primitive that selects output number `index` of an op of several outputs.

    The backward pass puts the gradients of the outputs together again, so it has no rule.

    >>> selection(1).value(("first", "second"))
    'second'
    """

    def output(whole: Any) -> Any:
        return whole[index]

    return Primitive(output, selects=index, linear=True, view=True)


def primitive_of(function: Any) -> Primitive | None:
    """The op itself, or the op that answers for a NumPy function; None if there is none.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> primitive_of(np.multiply) is tg.mul
    True
    """
    declared = function if isinstance(function, Primitive) else FUNCTIONS.get(function)
    return declared if isinstance(declared, Primitive) else None


def traits_of(function: Any) -> Traits:
    """The traits of an op, or of the op that answers for a NumPy function.

    Of a ufunc that no op answers for it is known that it is elementwise, of anything else nothing.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> traits_of(np.multiply) is tg.mul.traits
    True
    >>> traits_of(np.hypot).elementwise
    True
    """
    declared = primitive_of(function)
    if declared is not None:
        return declared.traits
    return _OF_A_UFUNC if _is_elementwise_ufunc(function) else _NOTHING_KNOWN


def _is_elementwise_ufunc(function: Any) -> bool:
    return isinstance(function, np.ufunc) and function.signature is None and function.nout == 1


_NOTHING_KNOWN = Traits()
_OF_A_UFUNC = replace(_NOTHING_KNOWN, elementwise=True)
