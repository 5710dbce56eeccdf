"""Emit: the plan under construction, and the making of instructions in it.

Work from outside the loop is done as early and on as little data as possible: a factor goes into
the weights of a product rather than over its result, and two shifts become one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ....engine.mode import Scope
from ....ops import matmul
from .trace import Value, identity

__all__ = ["Affine", "Builder", "Plan", "Stage", "is_pure", "values_in"]

Stage = str  # "once", "before", "loop", "after", or "total": sums over time, after all else


class Affine(NamedTuple):
    """scale * base + offset; None stands for 1 and 0. Base is a value of the loop."""

    scale: Any
    base: Value
    offset: Any


@dataclass(eq=False)
class Plan:
    """Instructions by stage, in order, and the stage of every value.

    `carry_in[k]` is at each step what `carry_out[k]` was at the step before. `results` are what was
    asked for (arrays and numbers for constants); `kept` are needed by the backward run.
    """

    carry_in: list[Value]
    carry_out: list[Value] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    kept: list[Value] = field(default_factory=list)
    stages: dict[Stage, list[Value]] = field(
        default_factory=lambda: {"once": [], "before": [], "loop": [], "after": [], "total": []}
    )
    stage_of: dict[Value, Stage] = field(default_factory=dict)

    def values_read(self) -> set[Value]:
        """Every value that an instruction reads, or that is a result."""
        instructions = (value for values in self.stages.values() for value in values)
        read = {x for value in instructions for x in values_in(value.inputs)}
        return read | set(values_in([*self.carry_out, *self.results]))

    def timed(self, x: Any) -> bool:
        """Whether x has another value at each step."""
        return isinstance(x, Value) and self.stage_of[x] not in ("once", "total")


class Builder:
    """Adds instructions to a plan, each once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._made: dict[Any, Value] = {}
        self.used_once: set[Value] = set()  # planned values that only one instruction will read
        self.scope: Scope | None = None  # of the instruction that is being placed

    def emit(self, value: Value, inputs: Sequence[Any], stage: Stage) -> Value:
        """The instruction at that stage; if the loop has computed it already, that."""
        what = (value.fn, identity(value.attributes), *map(identity, inputs))
        for place in dict.fromkeys((stage, "loop" if stage == "after" else stage)):
            if (place, *what) in self._made and is_pure(value):
                return self._made[(place, *what)]
        planned = Value(
            value.fn,
            tuple(inputs),
            value.attributes,
            value.example,
            value.name,
            value.scope or self.scope,
        )
        self._made[(stage, *what)] = planned
        self.plan.stages[stage].append(planned)
        self.plan.stage_of[planned] = stage
        return planned

    def ufunc(self, fn: Any, inputs: Sequence[Any], stage: Stage) -> Value:
        """`fn` of planned values and constants, at that stage."""
        examples = [x.example if isinstance(x, Value) else x for x in inputs]
        with np.errstate(all="ignore"):
            example = np.asarray(fn(*examples))
        return self.emit(Value(fn, tuple(inputs), {}, example), inputs, stage)

    def outside(self, fn: Any, *inputs: Any) -> Any:
        """`fn` of values from outside the loop; of constants alone, the constant."""
        if not values_in(inputs):
            result = fn(*inputs)
            return result if isinstance(result, np.ndarray) else float(result)
        if all(self._known_once(x) for x in inputs):
            return self.ufunc(fn, inputs, "once")
        made = self.ufunc(fn, inputs, "before")
        self.used_once.add(made)
        return made

    def product(self, x: Any, factor: Any) -> Any:
        """x * factor, both from outside the loop; a constant factor goes into x's weights."""
        if not isinstance(factor, Value) and self._takes_factor(x, factor):
            return self._with_factor(x, factor)
        return self.outside(np.multiply, x, factor)

    def sum(self, x: Any, y: Any) -> Any:
        """x + y, both from outside the loop; (x + b) + c is x + (b + c) for b, c known once."""
        for a, c in ((x, y), (y, x)):
            if isinstance(a, Value) and a.fn is np.add and self._known_once(c):
                for b, rest in (a.inputs, a.inputs[::-1]):
                    if self._known_once(b) and not self._known_once(rest):
                        if a in self.used_once and np.broadcast_shapes(_shape(b), _shape(c)) in (
                            _shape(b),
                            _shape(c),
                        ):
                            return self.outside(np.add, rest, self.outside(np.add, b, c))
        return self.outside(np.add, x, y)

    def weights_with_factor(self, product: Value, factor: Any) -> Value | None:
        """The weights of a product in the loop times a constant factor for each column, if any."""
        weights = product.inputs[1] if product.fn is matmul else None
        if weights is None or not self._known_once(weights) or not _by_column(weights, factor):
            return None
        return self.outside(np.multiply, weights, factor)  # type: ignore[no-any-return]

    def _known_once(self, x: Any) -> bool:
        return not isinstance(x, Value) or self.plan.stage_of[x] == "once"

    def _takes_factor(self, x: Any, factor: Any) -> bool:
        """Whether x * factor costs no work on values of all time steps."""
        if self._known_once(x):
            return True
        if x not in self.used_once:
            return False
        if x.fn is np.add:
            return all(self._takes_factor(part, factor) for part in x.inputs)
        return x.fn is matmul and self._known_once(x.inputs[1]) and _by_column(x.inputs[1], factor)

    def _with_factor(self, x: Any, factor: Any) -> Any:
        if self._known_once(x):
            return self.outside(np.multiply, x, factor)
        inputs = list(x.inputs)
        if x.fn is np.add:
            return self.sum(*(self._with_factor(part, factor) for part in inputs))
        inputs[1] = self._with_factor(inputs[1], factor)
        with np.errstate(all="ignore"):
            example = x.compute(*(i.example if isinstance(i, Value) else i for i in inputs))
        scaled = replace(x, inputs=tuple(inputs), example=example, name=None)
        return self.emit(scaled, inputs, "before")


def _by_column(weights: Any, factor: Any) -> bool:
    """Whether a factor belongs to the columns of a weight matrix alone."""
    return len(_shape(weights)) == 2 and len(_shape(factor)) <= 1


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if hasattr(x, "shape") else ()


def values_in(operands: Iterable[Any]) -> list[Value]:
    """The operands that are values, not constants."""
    return [x for x in operands if isinstance(x, Value)]


def is_pure(value: Value) -> bool:
    """Whether the instruction gives the same result each time."""
    return bool(getattr(value.fn, "pure", True))
