"""The start of decoding: what a model was given, as it is asked for, and its first output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ... import ops, pytree
from ...engine.tensor import Tensor
from ..recurrent.inputs import as_tensor, is_nest
from .model import Axes, Forward, Model, batch_axes, forward_of

__all__ = ["Start", "checked_scores", "started"]


class Start:
    """A model that has read what it starts from: the first steps of a sequence, or all.

    `output` (B, ...): what came of the last of them; `state`: the one after it. `rest`: the steps
    that were not read, with time first.
    """

    def __init__(
        self,
        forward: Forward,
        x: Any,
        state: Any,
        inputs: Mapping[str, Any],
        constants: Mapping[str, Any],
        lengths: Any,
        batched: bool,
        batch_first: bool,
        steps: int | None,
    ) -> None:
        self.forward, self.constants = forward, constants
        self._inputs, self._batched, self._batch_first = inputs, batched, batch_first
        x, self.rest = pytree.map(lambda leaf: leaf[:steps], x), _after(x, steps)
        self._x = x
        self.steps, self.batch = pytree.leaves(x)[0].shape[:2]
        if not self.steps:
            raise ValueError(
                "it takes at least one step to read, such as a token for the beginning"
            )
        self._read_inputs = pytree.map(lambda leaf: leaf[: self.steps], dict(inputs))
        given = dict(self._read_inputs)
        if lengths is None:
            outputs, self.state = forward(x, state, given, constants)
            self.output = pytree.map(lambda leaf: leaf[-1], outputs)
        else:
            if inputs:
                raise TypeError("with lengths of the start there are no further inputs of a step")
            last = np.asarray(getattr(lengths, "_data", lengths)) - 1
            outputs, self.state = forward(x, state, {"lengths": lengths}, constants)
            rows = np.arange(self.batch)
            self.output = pytree.map(lambda leaf: leaf[last, rows], outputs)

    def inputs_at(self, first: int, last: int) -> dict[str, Any]:
        """The further inputs of these steps after the start."""
        found: dict[str, Any] = pytree.map(
            lambda leaf: leaf[self.steps + first : self.steps + last], dict(self._inputs)
        )
        for name, tree in found.items():
            for leaf in pytree.leaves(tree):
                if len(leaf) != last - first:
                    raise ValueError(
                        f"{name} must be given for each step, of start and of those generated but "
                        f"for the last: it ends before step {self.steps + last}"
                    )
        return found

    def axes(self) -> Axes:
        """The batch axis of each leaf of the state."""
        at = self.forward, self._x, self.state, self._read_inputs, self.constants
        return batch_axes(*at)

    def check_next(self, x: Any) -> None:
        """TypeError if what was chosen is not like what the model reads at a step."""
        like = pytree.map(lambda leaf: leaf[0], self._x)
        try:
            pairs = zip(pytree.leaves(pytree.aligned(x, like)), pytree.leaves(like), strict=True)
            fits = all(a.shape == b.shape and a.dtype.kind == b.dtype.kind for a, b in pairs)
        except (ValueError, AttributeError):  # another structure, or no array
            fits = False
        if not fits:
            raise TypeError(
                "what is chosen at a step is what the model reads at the next, like a step of "
                f"start, {pytree.described(like)}; it is {pytree.described(x)}. Tokens are read "
                "with embed=..., or sample=... makes what is read"
            )

    def timed(self, leaf: Any) -> Any:
        """A result (T, B, ...) in the layout of start: without a batch, or with the batch first."""
        if not self._batched:
            return leaf[:, 0]
        return ops.swapaxes(leaf, 0, 1) if self._batch_first else leaf

    def by_row(self, leaf: Any) -> Any:
        """A result (B, ...), without a batch if start has none."""
        return leaf if self._batched else leaf[0]


def started(
    model: Model,
    start: Any,
    state: Any,
    embed: Callable[[Any], Any] | None,
    head: Callable[[Any], Any] | None,
    constants: Mapping[str, Any] | None,
    inputs: Mapping[str, Any],
    lengths: Any,
    batch_first: bool | None,
    steps: int | None = None,
) -> Start:
    """Let a model read the first `steps` of `start` (None: all); see `generate` for the rest."""
    x, further, same = (_tensors(tree) for tree in (start, dict(inputs), dict(constants or {})))
    if batch_first is None:
        batch_first = bool(getattr(model, "batch_first", False))
    first = pytree.leaves(x)[0]
    features = 0 if first.dtype.kind in "iu" or embed else -getattr(model, "feature_axis", -1)
    batched = first.ndim > 1 + features
    if not batched:
        x, further = pytree.map(lambda leaf: ops.expand_dims(leaf, axis=1), (x, further))
        same = pytree.map(lambda leaf: ops.expand_dims(leaf, axis=0), same)
    elif batch_first:
        x, further = pytree.map(lambda leaf: ops.swapaxes(leaf, 0, 1), (x, further))
    forward = forward_of(model, embed, head, batch_first)
    return Start(forward, x, state, further, same, lengths, batched, batch_first, steps)


def checked_scores(output: Any) -> Tensor:
    """The scores of tokens (B, V). TypeError for what is none."""
    if isinstance(output, Tensor) and output.ndim == 2 and output.dtype.kind == "f":
        return output
    raise TypeError(
        f"tokens are chosen by their scores, (B, V) at each step; the model's output is "
        f"{pytree.described(output)}. head=... makes scores of it, or sample=... what is read next"
    )


def _after(x: Any, steps: int | None) -> Any:
    return pytree.map(lambda leaf: leaf[len(leaf) if steps is None else steps :], x)


def _tensors(tree: Any) -> Any:
    """Tensors for arrays and lists of numbers, in a nest or alone."""
    if not isinstance(tree, Tensor | np.ndarray) and is_nest(tree):
        return pytree.map(as_tensor, tree)
    return as_tensor(tree)
