"""Instruction: one operation of a program. Programs consist of instructions, which are immutable.

A pass that needs another instruction makes a new one (`Instruction.of`, `with_inputs`) and declares
what it replaces (`rewrite.substitute`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ...engine.primitives.primitive import primitive_of, traits_of
from ...engine.primitives.reads import signature
from ...engine.primitives.traits import Traits
from ...engine.recording.scope import Scope
from ...ops.shapes.lifting import aligned

__all__ = [
    "Instruction",
    "Origin",
    "inputs_of",
    "is_product_of_elements",
    "may_reassociate",
    "native",
    "promotion_kind",
    "samples",
    "structural_key",
    "value_number",
]

Array = Any
_NO_ATTRIBUTES: dict[str, Any] = {}


class Origin(Scope):
    """Where an instruction comes from: the user's line, and the op written there.

    An instruction of an op's gradient has the origin of the op.
    """

    __slots__ = ("op",)

    def __init__(self, path: str, step: int | None, line: str | None, op: str) -> None:
        super().__init__(path, step, line)
        self.op = op


@dataclass(frozen=True, eq=False, slots=True)
class Instruction:
    """One operation of a step: a primitive, applied to other instructions and to constants.

    `primitive`: a ufunc, an op, or a function of arrays; None for an input of the program.
    `inputs`: instructions, and arrays or numbers for constants. `output`: which output this is, for
    a primitive with several. `sample`: its value in the step that was traced, an example of shape
    and dtype; NumPy's promotion decided both, and no pass changes them. `name`: the author's name
    for it. `origin`: where it was written. `depends_on`: the instructions among its inputs.
    `traits`: those of its primitive. Two instructions are equal only if they are the same object.

    >>> x = Instruction.input(np.ones(3, np.float32), "x")
    >>> y = Instruction.of(np.multiply, x, 2.0)
    >>> y.shape, y.dtype, y.compute(np.array([1.0, 2.0, 3.0]), 2.0)
    ((3,), dtype('float32'), array([2., 4., 6.]))
    """

    primitive: Any
    inputs: tuple[Any, ...]
    attributes: Mapping[str, Any]
    sample: Array
    output: int | None = None
    name: str | None = None
    origin: Scope | None = None
    depends_on: tuple[Instruction, ...] = field(init=False, repr=False)
    traits: Traits = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depends_on", tuple(inputs_of(self.inputs)))
        object.__setattr__(self, "traits", traits_of(self.primitive))

    # Making instructions

    @classmethod
    def input(cls, sample: Array, name: str | None = None) -> Instruction:
        """An input of a program."""
        return cls(None, (), _NO_ATTRIBUTES, sample, None, name)

    @classmethod
    def of(
        cls,
        primitive: Any,
        *inputs: Any,
        attributes: Mapping[str, Any] = _NO_ATTRIBUTES,
        output: int | None = None,
        name: str | None = None,
        origin: Scope | None = None,
    ) -> Instruction:
        """The primitive applied to instructions and constants; its sample is computed here."""
        function = _function(primitive, attributes, output)
        with np.errstate(all="ignore"):
            sample = np.asarray(function(*samples(inputs)))
        return cls(primitive, inputs, attributes, sample, output, name, origin)

    def with_inputs(self, inputs: Sequence[Any]) -> Instruction:
        """The same operation on inputs that replace its own and have the same values."""
        return Instruction(
            self.primitive,
            tuple(inputs),
            self.attributes,
            self.sample,
            self.output,
            self.name,
            self.origin,
        )

    def called(self, name: str | None, origin: Scope | None) -> Instruction:
        """The same instruction with another name and origin, if these are given."""
        name, origin = name or self.name, origin or self.origin
        if name is self.name and origin is self.origin:
            return self
        return replace(self, name=name, origin=origin)

    # Properties

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value at one step."""
        return self.sample.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the elements."""
        return self.sample.dtype  # type: ignore[no-any-return]

    @property
    def is_ufunc(self) -> bool:
        """Whether it is a ufunc, which can write its result to any array that it is given."""
        return isinstance(self.primitive, np.ufunc)

    @property
    def is_view(self) -> bool:
        """Whether its result is a view of its only input's memory."""
        return self.traits.view and len(self.inputs) == 1

    @property
    def is_copy(self) -> bool:
        """Whether its result equals its only input, in separate memory."""
        return self.traits.copies and not self.attributes

    @property
    def is_sum(self) -> bool:
        """Whether it adds its two inputs element by element."""
        traits = self.traits
        return traits.elementwise and traits.commutative and bool(traits.linear)

    @property
    def is_matrix_product(self) -> bool:
        """Whether it is a product of two matrices, rows by columns."""
        contraction = self.traits.contraction
        shapes = [getattr(x, "shape", ()) for x in self.inputs]
        if contraction is None or [len(shape) for shape in shapes] != [2, 2]:
            return False
        subscripts = contraction(2, 2, **self.attributes)
        letters = {letter: k for k, letter in enumerate(dict.fromkeys(subscripts))}
        return [letters[letter] for letter in subscripts] == _ROWS_BY_COLUMNS

    def linear_in(self, positions: Sequence[int]) -> bool:
        """Whether it is linear in the inputs at these positions, taken together.

        Zeros elsewhere do not matter: `np.where(mask, x, 0.0)` is linear in x.
        """
        primitive = primitive_of(self.primitive)
        if primitive is None:
            return False
        names = [primitive.input_name(k) for k in range(len(self.inputs))]
        jointly = [
            k
            for k, (name, x) in enumerate(zip(names, self.inputs, strict=True))
            if name in self.traits.linear and (k in positions or not _is_zero(x))
        ]
        alone = len(positions) == 1 and names[positions[0]] in self.traits.multilinear
        return alone or (bool(jointly) and jointly == list(positions))

    def affine_in(self, positions: Sequence[int]) -> bool:
        """Whether it is affine in the inputs at these positions, taken together."""
        primitive = primitive_of(self.primitive)
        if primitive is None:
            return False
        names = [primitive.input_name(k) for k in positions]
        alone = len(names) == 1 and names[0] in self.traits.multilinear
        return alone or self.traits.linear.issuperset(names)

    @property
    def writes_anywhere(self) -> bool:
        """Whether its result can be written into a given array (NumPy's `out`)."""
        return self.is_ufunc or self.is_product

    @property
    def is_product(self) -> bool:
        """Whether it is NumPy's matmul: of matrices, vectors and batches of these."""
        return self.traits.contraction is not None and not self.attributes

    @property
    def op_name(self) -> str:
        """The name of its primitive."""
        found = getattr(self.primitive, "name", None) or getattr(
            self.primitive, "__name__", "input"
        )
        return str(found)

    # Computation

    def compute(self, *arrays: Any) -> Any:
        """The operation applied to arrays for its inputs."""
        return self.function()(*arrays)

    def function(self) -> Callable[..., Any]:
        """The operation as a function of arrays alone."""
        return _function(self.primitive, self.attributes, self.output)

    def compute_batched(self, steps: int, time_varying: Sequence[bool], *arrays: Any) -> Any:
        """The operation for all steps at once: `time_varying` inputs have a leading time axis."""
        if getattr(self.primitive, "lifted", None) is None:  # elementwise
            ndim = len(self.shape)
            arrays = tuple(
                aligned(a, ndim) if has_time else a
                for a, has_time in zip(arrays, time_varying, strict=True)
            )
            return self.compute(*arrays)
        rule = self.primitive.lifted
        result = rule(steps, tuple(time_varying), *arrays, **self.attributes)
        return result if self.output is None else result[self.output]

    def can_batch(self, time_varying: Sequence[bool]) -> bool:
        """Whether the instruction can be run for all steps at once.

        The batching rule is tested on two steps: the sample, and one with other contents.
        """
        if self.is_ufunc:
            return True
        if not self.traits.pure:
            return False
        if getattr(self.primitive, "lifted", None) is None and not self.traits.elementwise:
            return False
        key = self._form(time_varying)
        if key is None:
            return self._batches(time_varying)
        if key not in _batchable:
            if len(_batchable) >= _MOST_FORMS:
                _batchable.clear()
            _batchable[key] = self._batches(time_varying)
        return _batchable[key]

    def _form(self, time_varying: Sequence[bool]) -> Hashable | None:
        """A key shared by instructions that batch alike; None if the answer holds only here.

        It is None if an input is a constant array, whose content may matter, and if the two test
        steps are the same, for example because a sample is all zeros.
        """
        if any(isinstance(x, np.ndarray) for x in self.inputs):
            return None
        tried = zip(samples(self.inputs), time_varying, strict=True)
        if any(varies and np.array_equal(e, np.flip(e)) for e, varies in tried):
            return None
        try:
            form = signature((self.attributes, self.output, *samples(self.inputs)))
        except TypeError:  # of an attribute that may be any object
            return None
        rule = getattr(self.primitive, "lifted", None)  # its author may declare a new rule
        return self.primitive, rule, form, *time_varying

    def _batches(self, time_varying: Sequence[bool]) -> bool:
        first = samples(self.inputs)
        second = [np.flip(e) if t else e for t, e in zip(time_varying, first, strict=True)]
        both = [
            np.stack(p) if t else p[0] for t, *p in zip(time_varying, first, second, strict=True)
        ]
        try:
            with np.errstate(all="ignore"):
                batched = self.compute_batched(2, time_varying, *both)
                expected = np.stack([self.sample, self.compute(*second)])
        except Exception:  # no batching rule for such inputs, or a user's rule that fails
            return False
        return np.shape(batched) == expected.shape and _agree(batched, expected)


_MOST_FORMS = 10_000
_batchable: dict[Hashable, bool] = {}


def _is_zero(x: Any) -> bool:
    """Whether an operand is a constant of zeros."""
    return not isinstance(x, Instruction) and not np.any(x)


_ROWS_BY_COLUMNS = [{"m": 0, "k": 1, ",": 2, "n": 3, "-": 4, ">": 5}[c] for c in "mk,kn->mn"]


def _function(
    primitive: Any, attributes: Mapping[str, Any], output: int | None
) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(primitive, "value", primitive)
    if attributes:
        function = partial(function, **attributes)
    if output is None:
        return function
    return lambda *arrays: function(*arrays)[output]


def _agree(a: Array, b: Array) -> bool:
    """Whether two arrays agree to rounding, relative to their largest element."""
    if np.array_equal(a, b) or b.dtype.kind not in "fc":
        return np.array_equal(a, b)
    largest = np.max(np.abs(b), initial=0.0, where=np.isfinite(b))
    rounding = float(np.sqrt(np.finfo(b.dtype).eps))
    return np.allclose(a, b, rounding, rounding * float(largest), equal_nan=True)


def is_product_of_elements(primitive: Any) -> bool:
    """Whether a primitive multiplies two arrays element by element.

    >>> is_product_of_elements(np.multiply), is_product_of_elements(np.divide)
    (True, False)
    """
    traits = traits_of(primitive)
    return traits.elementwise and traits.commutative and bool(traits.multilinear)


# Operands: instructions, and arrays or numbers for constants


def inputs_of(operands: Iterable[Any]) -> list[Instruction]:
    """The operands that are instructions, not constants."""
    return [x for x in operands if isinstance(x, Instruction)]


def samples(operands: Iterable[Any]) -> list[Any]:
    """The operands' values in the traced step; constants are their own values."""
    return [x.sample if isinstance(x, Instruction) else x for x in operands]


def structural_key(x: Any) -> Any:
    """A dict key that two operands or attributes share only if they are the same."""
    if isinstance(x, (Instruction, np.ndarray)):
        return id(x)
    if isinstance(x, tuple | list):
        return type(x), tuple(map(structural_key, x))
    if isinstance(x, Mapping):
        return tuple((name, structural_key(x[name])) for name in sorted(x))
    if isinstance(x, Hashable):
        return type(x), repr(x) if isinstance(x, float) else x  # 0.0 is not -0.0
    return id(x)


def value_number(instruction: Instruction) -> tuple[Any, ...]:
    """The same for instructions that compute the same value (value numbering)."""
    operands = map(structural_key, instruction.inputs)
    attributes = structural_key(instruction.attributes)
    return (instruction.primitive, instruction.output, attributes, *operands)


def promotion_kind(x: Any) -> Any:
    """The input of NumPy's promotion: a dtype, or the type of a Python number."""
    if isinstance(x, bool):
        return np.dtype(bool)
    return x.dtype if hasattr(x, "dtype") else type(x)


def may_reassociate(dtype: np.dtype[Any]) -> bool:
    """Whether sums and products of that dtype may be reassociated.

    Reassociation changes rounding only, except in half precision, where the product of two ordinary
    factors may overflow.
    """
    return dtype.kind == "f" and dtype.itemsize > 2


def native(x: Any) -> Any:
    """An array in the byte order of the processor; anything else unchanged.

    >>> native(np.ones(1, ">f8")).dtype.isnative
    True
    """
    if isinstance(x, np.ndarray) and not x.dtype.isnative:
        return x.astype(x.dtype.newbyteorder("="))
    return x
