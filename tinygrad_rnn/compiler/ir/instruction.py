"""Instruction: one operation of a step: on its example, on arrays, and on all steps at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ...engine.scope import Scope
from ...ops.lifting import aligned

__all__ = ["Instruction", "Origin", "ancestors", "kind", "structural_key"]

Array = Any


class Origin(Scope):
    """Where an instruction comes from, and the op that its author wrote there.

    What the gradient of an op computes has the op's own origin.
    """

    __slots__ = ("op",)

    def __init__(self, path: str, step: int | None, line: str | None, op: str) -> None:
        super().__init__(path, step, line)
        self.op = op


@dataclass(eq=False, slots=True)
class Instruction:
    """One instruction of a step: `fn`, a ufunc or an op, of other values and constants.

    An input of the step has no `fn`. `example` is its value in the step that was traced, and
    stands for shape and dtype. `order` is the order in which a step computes its values.
    """

    primitive: Any
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    example: Any
    name: str | None = None
    scope: Scope | None = None
    order: float = field(default_factory=itertools.count().__next__)

    def compute(self, *arrays: Any) -> Any:
        """The instruction carried out on arrays for its inputs."""
        return self.function()(*arrays)

    def function(self) -> Callable[..., Any]:
        """The instruction as a function of arrays alone."""
        attributes = {name: x for name, x in self.attributes.items() if name != "output"}
        value = (
            self.primitive
            if isinstance(self.primitive, np.ufunc)
            else getattr(self.primitive, "value", self.primitive)
        )
        if not attributes or isinstance(self.primitive, np.ufunc):
            function: Callable[..., Any] = value
        else:
            function = partial(value, **attributes)
        if "output" not in self.attributes:
            return function
        output = self.attributes["output"]
        return lambda *arrays: function(*arrays)[output]

    def compute_lifted(self, steps: int, time_varying: Sequence[bool], *arrays: Any) -> Any:
        """The same for all time steps at once: `time_varying` inputs have a leading time axis."""
        if getattr(self.primitive, "lifted", None) is None:  # elementwise
            ndim = len(self.shape)
            arrays = tuple(
                aligned(a, ndim) if has_time else a
                for a, has_time in zip(arrays, time_varying, strict=True)
            )
            return self.compute(*arrays)
        attributes = dict(self.attributes)
        output = attributes.pop("output", None)
        result = self.primitive.lifted(steps, tuple(time_varying), *arrays, **attributes)
        return result if output is None else result[output]

    def lifts(self, time_varying: Sequence[bool]) -> bool:
        """Whether the instruction can be carried out for all steps at once.

        Its rule is tried on two steps: the example, and one with the elements in another order.
        """
        if isinstance(self.primitive, np.ufunc):
            return True
        if not self.primitive.pure or (
            self.primitive.lifted is None and not self.primitive.elementwise
        ):
            return False
        first = [x.example if isinstance(x, Instruction) else x for x in self.inputs]
        second = [np.flip(e) if t else e for t, e in zip(time_varying, first, strict=True)]
        both = [
            np.stack(p) if t else p[0] for t, *p in zip(time_varying, first, second, strict=True)
        ]
        try:
            with np.errstate(all="ignore"):
                lifted = self.compute_lifted(2, time_varying, *both)
                expected = np.stack([self.example, self.compute(*second)])
        except Exception:  # no rule for such inputs, or a rule of the author's that fails
            return False
        return np.shape(lifted) == expected.shape and _agree(lifted, expected)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value at one step."""
        return self.example.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the elements."""
        return self.example.dtype  # type: ignore[no-any-return]


def _agree(a: Array, b: Array) -> bool:
    """Whether two arrays are the same but for rounding, which is relative to their largest."""
    if b.dtype.kind not in "fc":
        return np.array_equal(a, b)
    largest = np.max(np.abs(b), initial=0.0, where=np.isfinite(b))
    rounding = float(np.sqrt(np.finfo(b.dtype).eps))
    return np.allclose(a, b, rounding, rounding * float(largest), equal_nan=True)


def ancestors(results: Sequence[Any]) -> list[Instruction]:
    """The instructions behind the results, in the order of the step."""
    found: set[Instruction] = set()
    waiting = [v for v in results if isinstance(v, Instruction)]
    while waiting:
        value = waiting.pop()
        if value not in found and value.primitive is not None:
            found.add(value)
            waiting.extend(x for x in value.inputs if isinstance(x, Instruction))
    return sorted(found, key=lambda value: value.order)


def structural_key(x: Any) -> Any:
    """What two operands or attributes have in common only if they are the same, as a dict key."""
    if isinstance(x, tuple | list):
        return type(x), tuple(map(structural_key, x))
    if isinstance(x, dict):
        return tuple((name, structural_key(x[name])) for name in sorted(x))
    if isinstance(x, Hashable) and not isinstance(x, Instruction):
        return type(x), repr(x) if isinstance(x, float) else x  # 0.0 is not -0.0
    return id(x)


def kind(x: Any) -> Any:
    """What NumPy's dtype resolution goes by: a dtype, or the type of a Python number."""
    if isinstance(x, bool):
        return np.dtype(bool)
    return x.dtype if hasattr(x, "dtype") else type(x)
