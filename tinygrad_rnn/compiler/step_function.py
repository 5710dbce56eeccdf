"""StepFunction: the function that a scan repeats, on leaves instead of pytrees, with checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops, pytree
from ..engine.tensor import Tensor, from_numpy, tensor

__all__ = ["StepFunction", "as_tensor", "beside"]


class StepFunction:
    """`f(carry, x_t) -> (carry, y_t)` for arguments of given structures, as a function of leaves.

    `name`: its name in messages. `owner`: the object to which its compiled programs belong. `kind`:
    shared by all similar functions, for messages that are given once. `files`: files of this
    package whose lines count as the author's. `checked`: whether it checks by itself that the carry
    it returns is like the one it got. `path`: the module path of its states, relative to where
    it runs.
    """

    def __init__(
        self,
        function: Callable[[Any, Any], tuple[Any, Any]],
        *,
        name: str | None = None,
        owner: Any = None,
        kind: Any = None,
        files: Callable[[], Iterable[str]] = frozenset,
        checked: bool = False,
        path: str = "",
    ) -> None:
        if owner is None:
            code = getattr(getattr(function, "__func__", function), "__code__", None)
            owner = code or type(function)
        self.function, self.owner = function, owner
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.kind = kind if kind is not None else owner
        self.files, self.checked, self.path = files, checked, path


class FlatStep:
    """A step on lists of leaves; where the mask is False the carry stays and y_t is zero.

    Its arguments are the structures of the carry and of x_t, and their numbers of leaves.
    `y_structure`: the structure of y_t, known after the first step. `noted`: if the step is
    observed, the values to keep, by their labels; `names`: all names in the step.
    """

    noted: Mapping[Any, Tensor] = {}
    names: frozenset[str] = frozenset()

    def __init__(self, of: StepFunction, carry: Any, xs: Any, carries: int, x_leaves: int) -> None:
        self.of = of
        self.carry_structure, self.x_structure = carry, xs
        self.carries, self.x_leaves = carries, x_leaves
        self.y_structure: Any = None

    def __call__(
        self, carry: Sequence[Tensor], xs: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The next carry and y_t. `xs`: the leaves of x_t and, if rows have ended, a mask (B,)."""
        tree = pytree.unflatten(self.carry_structure, carry)
        x = pytree.unflatten(self.x_structure, xs[: self.x_leaves])
        next_carry, y = self._checked(tree, self.of.function(tree, x))
        if len(xs) > self.x_leaves:
            mask = xs[-1]
            next_carry = [
                ops.where(beside(mask, new), new, old)
                for new, old in zip(next_carry, carry, strict=True)
            ]
            y = [ops.where(beside(mask, leaf), leaf, np.zeros((), leaf.dtype)) for leaf in y]
        return next_carry, y

    def _checked(self, carry: Any, result: Any) -> tuple[list[Tensor], list[Tensor]]:
        """The leaves of both results. TypeError or ValueError if the carry changes its form."""
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(
                f"{self.of.name} must return a pair (carry, y_t); it returned "
                f"{pytree.described(result)}"
            )
        ys, self.y_structure = pytree.flatten(result[1])
        outputs = [as_tensor(leaf) for leaf in ys]
        if self.of.checked:
            return pytree.leaves(result[0]), outputs
        try:
            new = pytree.leaves(pytree.aligned(result[0], carry))
        except ValueError as error:
            raise ValueError(
                f"{self.of.name} must return a carry like the one it got: {error}"
            ) from None
        leaves = [as_tensor(leaf) for leaf in new]
        for before, after in zip(pytree.leaves(carry), leaves, strict=True):
            old, now = before._data, after._data
            if old.shape != now.shape or old.dtype != now.dtype:
                raise TypeError(
                    f"{self.of.name} must return a carry of the shapes and dtypes that it "
                    "received: "
                    f"{pytree.described(carry)}; it returned {pytree.described(result[0])}. "
                    "Start from an init of that shape and dtype, or cast: carry.astype(...)"
                )
        return leaves, outputs


def as_tensor(x: Any) -> Tensor:
    """x as a Tensor; an array shares its memory."""
    if isinstance(x, Tensor):
        return x
    return from_numpy(x) if isinstance(x, np.ndarray) else tensor(x)


def beside(mask: Any, x: Tensor) -> Any:
    """The mask with axes of size 1 added at its end, so that it broadcasts against x."""
    return ops.reshape(mask, shape=mask.shape + (1,) * (x.ndim - mask.ndim))
