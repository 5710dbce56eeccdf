"""ObservedValue: the values of one name over time, and where values and gradients come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.recording.broadcasting import zeros
from ..engine.tensor import Tensor
from .trace.tracers import nodes_behind

__all__ = ["Nodes", "ObservedValue", "Outputs", "StateRun", "taps"]


class ObservedValue:
    """The values that had one name during a call, and the gradients that reached them.

    `path` and `name` identify the value. `steps`: its time steps in order; None for a value outside
    all steps.

    >>> import tinygrad_rnn as tg
    >>> with tg.observe() as seen:
    ...     layer = tg.nn.RNN(2, 3)
    ...     outputs, h = layer(tg.randn(4, 1, 2))
    >>> h = seen["RNN.l0: h"]
    >>> h.shape, h.steps, h.grad  # there was no backward pass
    ((4, 1, 3), [0, 1, 2, 3], None)
    """

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        self.parts: list[Nodes | Outputs] = []

    def continues_with(self, part: Nodes | Outputs) -> bool:
        """Whether the values of that part belong to steps that are still missing."""
        here: set[int | None] = set()
        here.update(*(known.steps for known in self.parts))
        return here.isdisjoint(part.steps)

    @property
    def steps(self) -> list[int] | None:
        """The time steps that have the value."""
        steps = sorted(t for part in self.parts for t in part.steps if t is not None)
        return steps or None

    @property
    def is_state(self) -> bool:
        """Whether each step passes the value on to the next."""
        return self.leaf is not None

    @property
    def leaf(self) -> int | None:
        """Which leaf of the carry it is; None if it is not a state."""
        return self.parts[0].leaf

    @property
    def data(self) -> Any:
        """The values, an ndarray (T, ...), in order of time; zero in the padding."""
        return self._over_time([part.values() for part in self.parts])

    @property
    def grad(self) -> Tensor | None:
        """The gradient of each value, summed over all backward passes; None before the first."""
        found = [part.gradients() for part in self.parts]
        if all(grads is None for grads in found):
            return None
        known = [
            np.zeros_like(part.values()) if grads is None else grads
            for part, grads in zip(self.parts, found, strict=True)
        ]
        return Tensor.of(self._over_time(known))

    @property
    def mask(self) -> Any:
        """Which of the values (T, B) are not padding, bools; None if no value is padding."""
        masks = [part.valid for part in self.parts]
        if any(mask is None for mask in masks):
            return None
        found = self._over_time(masks)
        return found if self.data.shape[:2] == found.shape else None

    def _over_time(self, arrays: Sequence[Any]) -> Any:
        """The arrays of all parts joined, in order of time."""
        if self.steps is None:
            return arrays[0][0]
        if len(arrays) == 1:
            return arrays[0]
        order = np.argsort([t for part in self.parts for t in part.steps])
        return np.concatenate(arrays)[order]

    def reached(self, output: Tensor) -> Any:
        """At which steps a gradient of `output` reaches the state, however small: bools (T,).

        The gradient enters a run where `output` uses a value of it, and continues against the
        running order. On that side it may underflow to zero, but it exists; on the other side there
        is none.

        >>> import tinygrad_rnn as tg
        >>> layer = tg.nn.RNN(2, 3)
        >>> with tg.observe(layer) as seen:
        ...     loss = layer(tg.randn(4, 1, 2))[0][1].sum()
        >>> seen.differentiate(loss)
        >>> seen["l0: h"].reached(loss)
        array([ True,  True, False, False])
        """
        behind = frozenset(nodes_behind([output]))
        nodes = {node for part in self.parts for node in part.nodes()}
        grads = self.grad
        steps = self.steps or []
        found = np.zeros(len(steps), bool)
        if grads is None:
            return found
        found[:] = grads.data.reshape(len(steps), -1).any(axis=1)
        for run in dict.fromkeys(part.run for part in self.parts):
            own = {t for part in self.parts if part.run is run for t in part.steps}
            places = [place for place, t in enumerate(steps) if t in own]
            if run is not None and self.leaf is not None:
                backwards = places if run.reverse else places[::-1]
                last = run.last[self.leaf]
                # In unrolled steps it may be there only because of a stack of outputs.
                through_the_end = last in behind and last not in nodes
                found[backwards] = np.logical_or.accumulate(found[backwards]) | through_the_end
        return found & self._over_time([part.real() for part in self.parts])

    def differentiable(self) -> list[Tensor]:
        """The nodes whose gradients are those of the values."""
        return [node for part in self.parts for node in part.nodes() if node.requires_grad]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values: (T, ...)."""
        return np.shape(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.data, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        title = f"{self.path}: {self.name}" if self.path else self.name
        return f"<observed {title}, {self.described()}>"

    def described(self) -> str:
        """Dtype and shape as text."""
        data = self.data
        return f"{data.dtype} {data.shape}"


# Where values and gradients come from


@dataclass(eq=False)
class StateRun:
    """The scan run to which states belong: the carry after the last step, and the direction."""

    last: Sequence[Tensor]
    reverse: bool


class Nodes:
    """Values that were recorded step by step, or one value outside all steps (None).

    `valid` (T, B): where they are not padding.
    """

    run: StateRun | None = None

    def __init__(self, nodes: Mapping[Any, Tensor], leaf: int | None, valid: Any = None) -> None:
        self._nodes = nodes
        self.leaf = leaf
        self.valid = valid
        for node in nodes.values():
            if node.requires_grad:
                node.retain_grad()

    @property
    def steps(self) -> list[Any]:
        """Their time steps, in order."""
        return [*self._nodes]

    def values(self) -> Any:
        """All values, (T, ...). ValueError if they differ in shape."""
        shapes = {node.shape for node in self._nodes.values()}
        if len(shapes) > 1:
            raise ValueError(
                "a value whose shape differs between steps cannot become an array: "
                f"{sorted(shapes)}"
            )
        return without_padding(np.stack([node._data for node in self._nodes.values()]), self.valid)

    def real(self) -> Any:
        """At which steps not all of them are padding, bools (T,)."""
        return real_steps(self.valid, len(self._nodes))

    def nodes(self) -> list[Tensor]:
        """The nodes that receive the gradients of the values."""
        return [*self._nodes.values()]

    def gradients(self) -> Any:
        """The gradients of the values, None if there are none."""
        grads = [node._grad for node in self._nodes.values()]
        if all(grad is None for grad in grads):
            return None
        known = [
            np.zeros_like(node._data) if grad is None else grad._data
            for node, grad in zip(self._nodes.values(), grads, strict=True)
        ]
        return without_padding(np.stack(known), self.valid)


class Outputs:
    """Values that a compiled scan returned, and the tap whose gradient is theirs."""

    run: StateRun | None = None

    def __init__(self, first: int, values: Any, tap: Tensor, leaf: int | None, valid: Any) -> None:
        self.steps: Any = range(first, first + len(values))
        self._values = without_padding(values, valid)
        self._tap, self.leaf, self.valid = tap, leaf, valid

    def values(self) -> Any:
        """All values, (T, ...)."""
        return self._values

    def real(self) -> Any:
        """At which steps not all of them are padding, bools (T,)."""
        return real_steps(self.valid, len(self.steps))

    def nodes(self) -> list[Tensor]:
        """The nodes that receive the gradients of the values."""
        return [self._tap]

    def gradients(self) -> Any:
        """The gradients of the values, None if there are none."""
        if self._tap._grad is None:
            return None
        return without_padding(self._tap._grad._data, self.valid)


def without_padding(array: Any, valid: Any) -> Any:
    """Values (T, B, ...) with zeros where a sequence has no such step; unchanged elsewhere."""
    if valid is not None and array.shape[:2] == valid.shape and not valid.all():
        array[~valid] = 0
    return array


def real_steps(valid: Any, steps: int) -> Any:
    """Which steps belong to any sequence, by the mask (T, B); without a mask, all."""
    return np.ones(steps, bool) if valid is None else valid.reshape(steps, -1).any(axis=1)


def taps(like: Sequence[Any], steps: int, wanted: Sequence[bool]) -> list[Tensor]:
    """Zeros (T, ...) that take no memory, for values like those of one step."""
    found = []
    for value, want in zip(like, wanted, strict=True):
        found.append(Tensor.of(zeros((steps, *value.shape), value.dtype)))
        found[-1].requires_grad = want
    return found
