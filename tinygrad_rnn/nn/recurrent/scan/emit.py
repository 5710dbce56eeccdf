"""Emit: the plan under construction, and the making of instructions in it.

Work from outside the loop is done as early and on as little data as possible: two shifts become
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ....engine.mode import Scope
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

    def _known_once(self, x: Any) -> bool:
        return not isinstance(x, Value) or self.plan.stage_of[x] == "once"


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if hasattr(x, "shape") else ()


def values_in(operands: Iterable[Any]) -> list[Value]:
    """The operands that are values, not constants."""
    return [x for x in operands if isinstance(x, Value)]


def is_pure(value: Value) -> bool:
    """Whether the instruction gives the same result each time."""
    return bool(getattr(value.fn, "pure", True))
