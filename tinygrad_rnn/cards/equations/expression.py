"""Expression: a value in one step of a cell as mathematics, a tree of ops over symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...compiler.ir.instruction import structural_key
from ...engine.primitives.primitive import Primitive
from ...engine.primitives.traits import Section
from ...ops import matmul, reshape
from ...ops.algebra.convolution import _unfold
from ...ops.shapes.joining import _pad

__all__ = ["Expression", "Expressions", "Leaf", "parts_of"]

Array = Any
_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, eq=False, slots=True)
class Leaf:
    """What an expression without an op stands for.

    `kind`: "input", "state", "parameter", "constant", "number" or "drawn" (a random number).
    `name`: its name there; for the state, its place among the leaves.
    """

    kind: str
    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Expression:
    """An op applied to expressions; a leaf has no op. Equal expressions are the same object.

    `sample`: the value in the traced step. `rows`: whether its first axis is the batch, as for
    everything computed from x_t or the state; the mathematics is that of one row.
    """

    op: Primitive | None
    inputs: tuple[Expression, ...]
    attributes: Mapping[str, Any]
    output: int | None
    sample: Array
    rows: bool
    leaf: Leaf | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""
        shape: tuple[int, ...] = np.shape(self.sample)
        return shape[1:] if self.rows else shape

    @property
    def is_number(self) -> bool:
        """Whether it is a constant number."""
        return self.leaf is not None and self.leaf.kind == "number"

    @property
    def is_scalar(self) -> bool:
        """Whether it is one number, the same in all rows."""
        return not self.rows and not np.ndim(self.sample)

    def behind(self) -> list[Expression]:
        """All expressions that it consists of, inputs first, itself last."""
        found: dict[int, Expression] = {}

        def visit(e: Expression) -> None:
            if id(e) not in found:
                for x in e.inputs:
                    visit(x)
                found[id(e)] = e

        visit(self)
        return [*found.values()]


def _part(x: Array, *, axis: int, start: int, stop: int) -> Array:
    cuts: list[Any] = [slice(None)] * x.ndim
    cuts[axis] = slice(start, stop)
    return x[tuple(cuts)]


part = Primitive(_part, linear=True, view=True)
part.name = "part"


@dataclass
class Expressions:
    """Makes expressions, each once, in the form in which they will be printed.

    A part of a sum is written as the sum of the parts, and a part of W x as a part of W times x: so
    gates that a cell computes as one matrix product get one equation each. `kept`: expressions that
    have a name and stay whole.
    """

    kept: set[int] = field(default_factory=set)
    _known: dict[Any, Expression] = field(default_factory=dict)
    _alive: list[Any] = field(default_factory=list)  # so that no id is reused

    def leaf(self, of: Any, kind: str, name: str, sample: Array, rows: bool = False) -> Expression:
        """The leaf that stands for `of`."""
        key = ("leaf", kind, of if kind == "number" else id(of))
        if key not in self._known:
            self._alive.append(of)
            self._known[key] = Expression(
                None, (), _NONE, None, np.asarray(sample), rows, Leaf(kind, name)
            )
        return self._known[key]

    def number(self, x: Any) -> Expression:
        """A constant number."""
        return self.leaf(repr(np.asarray(x).item()), "number", "", x)

    def apply(
        self,
        op: Primitive,
        inputs: Iterable[Expression],
        attributes: Mapping[str, Any] = _NONE,
        output: int | None = None,
        sample: Array | None = None,
    ) -> Expression:
        """The op on these inputs. `sample`: its value, where it is known."""
        inputs = tuple(inputs)
        without = _without_identity(op, inputs)
        if without is not None:
            return without
        if op is reshape:
            made = Expression(op, inputs, attributes, output, np.zeros(()), inputs[0].rows)
            of = convolved(made)
            if of is not None:
                return self.apply(convolution, of[:2], of[2], None, sample)
        key = (id(op), output, structural_key(attributes), *map(id, inputs))
        if key not in self._known:
            if sample is None:
                with np.errstate(all="ignore"):
                    sample = op.value(*(x.sample for x in inputs), **attributes)
                sample = sample if output is None else sample[output]
            self._alive.append((op, attributes))
            rows = any(x.rows for x in inputs)
            self._known[key] = Expression(op, inputs, attributes, output, np.asarray(sample), rows)
        return self._known[key]

    def part(self, x: Expression, section: Section) -> Expression:
        """A part of x along one axis, taken as close to the symbols as possible."""
        axis, start, stop = section
        size = x.sample.shape[axis]
        if (start, stop) == (0, size):
            return x
        if x.op is part and x.attributes["axis"] == axis:
            first = x.attributes["start"]
            return self.part(x.inputs[0], Section(axis, first + start, first + stop))
        if self._is_cut(x, axis):
            found = self._of_parts(x, section)
            if found is not None:
                return found
        return self.apply(part, [x], section._asdict())

    def _is_cut(self, x: Expression, axis: int) -> bool:
        """Whether a part of x consists of parts of symbols, without recomputation for each."""
        if x.op is None or id(x) in self.kept:
            return False
        if x.op.traits.elementwise:
            return all(
                e.leaf is not None or id(e) in self.kept or self._is_cut(e, axis)
                for e in x.inputs
                if not e.is_number
            )
        if x.op.traits.permutation is not None:
            axis = x.op.traits.permutation(**x.attributes)[axis]
            return x.inputs[0].leaf is not None or self._is_cut(x.inputs[0], axis)
        if _added_axes(x):
            return x.inputs[0].leaf is not None
        if x.op is convolution:
            return axis == -3
        return is_product(x) and axis >= -2

    def _of_parts(self, x: Expression, section: Section) -> Expression | None:
        """A part of an op's result as the op on parts of its inputs; None if that is impossible."""
        axis, start, stop = section
        assert x.op is not None
        if x.op.traits.elementwise:
            size = x.sample.shape[axis]
            whole = [
                len(np.shape(e.sample)) >= -axis and e.sample.shape[axis] == size for e in x.inputs
            ]
            cut = [self.part(e, section) if w else e for e, w in zip(x.inputs, whole)]
            return self.apply(x.op, cut, x.attributes)
        if x.op.traits.permutation is not None:
            axes = x.op.traits.permutation(**x.attributes)
            inner = self.part(x.inputs[0], Section(axes[axis], start, stop))
            return self.apply(x.op, [inner], x.attributes)
        if added := _added_axes(x):
            inner = self.part(x.inputs[0], Section(axis + added, start, stop))
            return self.apply(x.op, [inner], {"shape": (*inner.sample.shape, *[1] * added)})
        if x.op is convolution:
            kernels = self.part(x.inputs[0], Section(-x.inputs[0].sample.ndim, start, stop))
            return self.apply(x.op, [kernels, x.inputs[1]], x.attributes)
        if is_product(x) and axis >= -2:
            a, b = x.inputs
            if axis == -1 and b.sample.ndim > 1:
                return self.apply(x.op, [a, self.part(b, section)])
            if axis == -2 and a.sample.ndim > 1:
                return self.apply(x.op, [self.part(a, section), b])
        return None


def _without_identity(op: Primitive, inputs: tuple[Expression, ...]) -> Expression | None:
    """x of x + 0 and of 1 x."""
    if op.traits.identity is None or len(inputs) != 2:
        return None
    first, second = inputs
    if op.traits.commutative and first.is_number:
        first, second = second, first
    if second.is_number and second.sample == op.traits.identity and not first.is_number:
        return first
    return None


def _added_axes(x: Expression) -> int:
    """How many axes of size 1 a reshape appends to its input; 0 if it does anything else."""
    if x.op is not reshape:
        return 0
    before, after = x.inputs[0].sample.shape, x.sample.shape
    added = len(after) - len(before)
    return added if added > 0 and after == before + (1,) * added else 0


def _convolution(kernels: Array, x: Array, *, unfold: Mapping[str, Any], pad: Any) -> Array:
    """The convolution of the maps x with kernels, as `ops.conv2d` computes it."""
    if pad is not None:
        x = np.pad(x, [(0, 0)] * (x.ndim - len(pad)) + [*pad])
    seen = _unfold.value(x, **unfold)
    product = kernels.reshape(len(kernels), -1) @ seen
    sizes = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[2:], *unfold.values(), strict=True)
    ]
    return product.reshape(len(x), len(kernels), *sizes)


convolution = Primitive(_convolution, multilinear=True)
convolution.name = "conv"


def convolved(x: Expression) -> tuple[Expression, Expression, Mapping[str, Any]] | None:
    """For a product that `ops.conv2d` made: the kernels, the maps, and the options."""
    if x.op is not reshape or not is_product(x.inputs[0]):
        return None
    kernels, seen = x.inputs[0].inputs
    if kernels.op is not reshape or kernels.rows or seen.op is not _unfold:
        return None
    maps, pad = seen.inputs[0], None
    if maps.op is _pad:
        maps, pad = maps.inputs[0], maps.attributes["widths"]
    return kernels.inputs[0], maps, {"unfold": dict(seen.attributes), "pad": pad}


def is_product(x: Expression) -> bool:
    """Whether it is a product of matrices, or of a matrix and a vector."""
    return x.op is matmul


def parts_of(x: Expression) -> tuple[Section, int] | None:
    """For a part: which part it is, and the size of the whole along its axis."""
    if x.op is not part:
        return None
    return Section(**x.attributes), x.inputs[0].sample.shape[x.attributes["axis"]]
