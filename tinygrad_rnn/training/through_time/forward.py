"""Gradients that are carried forward in time: real-time recurrent learning, and approximations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import nn, pytree
from ...directional import jvp
from ...engine.dtypes import is_floating
from ...engine.recording.mode import enable_grad, no_grad
from ...engine.tensor import Tensor
from ...engine.transforms import grad
from .gradient import Array, Loss, TimeGradient, check_in_order

__all__ = ["eprop", "forward_step", "rtrl", "snap"]

_BLOCK = 256  # parameters whose tangents are taken forward at once
_DRAWS = 8


def rtrl(layer: nn.Recurrent, x: Tensor, loss: Loss, chunk: int = 1) -> TimeGradient:
    """Exact, and forward in time: real-time recurrent learning.

    The state carries along its derivative with respect to every parameter, so the gradient of each
    step's loss is available at once. Memory does not depend on T, but is proportional to the number
    of parameters times the size of the state; so is the time per step. Use it for small networks.
    `chunk`: the number of steps run at once. (Williams & Zipser, "A learning algorithm for
    continually running fully recurrent neural networks", Neural Computation 1, 1989.)

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.RNN(1, 2), tg.randn(6, 1, 1)
    >>> found = rtrl(layer, x, lambda outputs, steps: (outputs**2).sum())
    >>> [g.shape for g in found.gradients]
    [(2, 1), (2, 2), (2,), (2,)]
    """
    return _forward(layer, x, loss, chunk, None)


def snap(layer: nn.Recurrent, x: Tensor, loss: Loss, order: int = 1) -> TimeGradient:
    """Sparse n-step approximation: of RTRL's derivatives, those that arise within `order` steps.

    A derivative of a state element with respect to a parameter is kept only if the parameter
    reaches the element within so many steps; with `order=1` that is mostly the parameter's own
    unit, as in e-prop's eligibility traces (Bellec et al., Nature Communications 11, 2020), and for
    a cell whose state's Jacobian is diagonal it is exact. This computes what the approximation
    gives, at the cost of RTRL. (Menick et al., "Practical real time recurrent learning with a
    sparse approximation to the Jacobian", ICLR 2021.)

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.RNN(1, 2), tg.randn(6, 1, 1)
    >>> found = snap(layer, x, lambda outputs, steps: (outputs**2).sum(), order=1)
    >>> [g.shape for g in found.gradients]
    [(2, 1), (2, 2), (2,), (2,)]
    """
    if order < 1:
        raise ValueError(f"snap keeps what arises within order >= 1 steps, got {order}")
    return _forward(layer, x, loss, 1, order)


def eprop(layer: nn.Recurrent, x: Tensor, loss: Loss) -> TimeGradient:
    """Forward in time, with eligibility traces: what reaches a unit through other units is dropped.

    Each number of the state carries along its derivative with respect to the parameters, through
    itself and through the numbers in its place of the other states, as h and c of an LSTM's unit.
    The gradient of each step's loss is applied to these traces directly where the output is a leaf
    of the state, and otherwise through the derivative of the output. It is exact for a cell whose
    state's Jacobian is diagonal. Unlike in the paper, a unit's connection to itself counts as its
    own memory. This computes what the approximation gives, at about the cost of RTRL. (Bellec et
    al., "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature
    Communications 11, 2020, eq. 1 and 13.)

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.RNN(1, 2), tg.randn(6, 1, 1)
    >>> found = eprop(layer, x, lambda outputs, steps: (outputs**2).sum())
    >>> [g.shape for g in found.gradients]
    [(2, 1), (2, 2), (2,), (2,)]
    """
    check_in_order(layer)
    parameters = tuple(layer.parameters())
    sizes = [p.size for p in parameters]
    count, value = sum(sizes), 0.0
    gradient = np.zeros(count, parameters[0].dtype)
    blocks = [slice(k, min(k + _BLOCK, count)) for k in range(0, count, _BLOCK)]
    state: Any = None
    traces: list[list[Array]] = [[] for _ in blocks]  # of each leaf of the state, (K, ...)
    shown = _state_of_output(layer, x, parameters)
    for t in range(len(x)):
        steps = slice(t, t + 1)
        own = {} if state is None else _own_derivatives(layer, x[steps], state, parameters)
        next_state: Any = None
        d_outputs: Any = None
        for number, block in enumerate(blocks):
            basis = _basis(parameters, block)
            still = None if state is None else _still(state, block.stop - block.start)
            outputs, next_state, d_out, d_state = forward_step(
                layer, x[steps], state, still, parameters, basis
            )
            if d_outputs is None:
                of_steps, d_outputs = _of_outputs(outputs, loss, steps)
                value += of_steps
            made = [d.data for d in pytree.leaves(d_state)]
            for (to, through), derivative in own.items():
                made[to] = made[to] + derivative * traces[number][through]
            if shown is not None:
                along = made[shown]
            elif state is None:
                along = d_out.data
            else:
                before = pytree.unflatten(pytree.structure(state), traces[number])
                along = forward_step(layer, x[steps], state, before, parameters, basis)[2].data
            gradient[block] += along.reshape(len(along), -1) @ d_outputs.reshape(-1)
            traces[number] = made
        state = next_state
    return TimeGradient(value, _shaped(gradient, parameters))


def _of_outputs(outputs: Tensor, loss: Loss, steps: slice) -> tuple[float, Array]:
    """The loss of some steps, and its gradient with respect to their outputs alone."""
    leaf = outputs.detach()
    leaf.requires_grad = True
    with enable_grad():
        of_steps = loss(leaf, steps)
    (d_outputs,) = grad(of_steps, leaf)
    return of_steps.item(), d_outputs.data


def _shaped(gradient: Array, parameters: Sequence[Tensor]) -> list[Array]:
    """The parts of one vector in the shapes of the parameters."""
    each = np.split(gradient, np.cumsum([p.size for p in parameters])[:-1])
    return [g.reshape(p.shape) for g, p in zip(each, parameters, strict=True)]


def _still(nest: Any, count: int) -> Any:
    """Tangents (K, ...) of zero for each leaf."""
    return pytree.map(lambda leaf: np.zeros((count, *leaf.shape), leaf.dtype), nest)


def _state_of_output(layer: Any, x: Tensor, parameters: Sequence[Tensor]) -> int | None:
    """Which leaf of the state the output of a step is; None if it is none.

    It is the leaf that has its tangent, in a random direction at a random state: equal values would
    not tell, as all are zero at a start from zero.
    """
    with no_grad():
        state = layer(x[:1])[1]
    state, along = _random_like(state, 0), _random_like(state, 1)
    directions = [_random_like(p, 2 + k).data[None] for k, p in enumerate(parameters)]
    along = pytree.map(lambda leaf: leaf.data[None], along)
    _, _, d_output, d_state = forward_step(layer, x[:1], state, along, parameters, directions)
    for number, leaf in enumerate(pytree.leaves(d_state)):
        if leaf.size == d_output.size and np.array_equal(leaf.data.ravel(), d_output.data.ravel()):
            return number
    return None


def _own_derivatives(
    layer: Any, x: Tensor, state: Any, parameters: Sequence[Tensor]
) -> dict[tuple[int, int], Array]:
    """Of each number of the state after one step by that in its place before it.

    By the places of two leaves of one shape, the new and the old.
    """
    leaves = pytree.leaves(state)
    found: dict[tuple[int, int], Array] = {}
    for number, leaf in enumerate(leaves):
        for first in range(0, leaf.size if is_floating(leaf._data) else 0, _BLOCK):
            places = np.arange(first, min(first + _BLOCK, leaf.size))
            moved = pytree.leaves(_still(state, len(places)))
            moved[number].reshape(len(places), -1)[places - first, places] = 1
            along = pytree.unflatten(pytree.structure(state), moved)
            still = _still(parameters, len(places))
            _, _, _, d_state = forward_step(layer, x, state, along, parameters, still)
            for to, d in enumerate(pytree.leaves(d_state)):
                if d.shape[1:] == leaf.shape and d.dtype.kind == "f":
                    own = found.setdefault((to, number), np.zeros(leaf.shape, d.dtype))
                    rows = d.data.reshape(len(places), -1)
                    own.reshape(-1)[places] = rows[places - first, places]
    return found


def _forward(
    layer: nn.Recurrent, x: Tensor, loss: Loss, length: int, order: int | None
) -> TimeGradient:
    check_in_order(layer)
    parameters = tuple(layer.parameters())
    sizes = [p.size for p in parameters]
    count, value = sum(sizes), 0.0
    gradient = np.zeros(count, parameters[0].dtype)
    blocks = [slice(k, min(k + _BLOCK, count)) for k in range(0, count, _BLOCK)]
    state: Any = None
    moved: list[Any] = [None] * len(blocks)  # the state's tangents, for each block of parameters
    kept = None if order is None else _pattern(layer, x, parameters, blocks, order)
    for first in range(0, len(x), length):
        steps = slice(first, min(first + length, len(x)))
        next_state: Any = None
        d_outputs: Any = None
        for number, block in enumerate(blocks):
            outputs, next_state, tangents, moved[number] = forward_step(
                layer, x[steps], state, moved[number], parameters, _basis(parameters, block)
            )
            if d_outputs is None:
                of_steps, d_outputs = _of_outputs(outputs, loss, steps)
                value += of_steps
            along = tangents.data.reshape(block.stop - block.start, -1)
            gradient[block] += along @ d_outputs.reshape(-1)
            if kept is not None:
                moved[number] = pytree.map(lambda t, m: t * m, moved[number], kept[number])
        state = next_state
    return TimeGradient(value, _shaped(gradient, parameters))


def forward_step(
    layer: Any,
    x: Tensor,
    state: Any,
    moved: Any,
    parameters: Sequence[Tensor],
    directions: Sequence[Array],
) -> tuple[Tensor, Any, Tensor, Any]:
    """The outputs and the state of some steps, and the tangents of both, (K, ...).

    `moved`: the tangents of the state before them, None if it is fixed. `directions`: those of each
    parameter (K, ...).

    >>> import tinygrad_rnn as tg
    >>> cell = tg.nn.Recurrent(tg.nn.RNNCell(1, 2, bias=False))
    >>> parameters = list(cell.parameters())
    >>> along = [np.zeros((3, *p.shape), p.dtype) for p in parameters]
    >>> outputs, state, d_outputs, d_state = forward_step(
    ...     cell, tg.ones(4, 1, 1), None, None, parameters, along
    ... )
    >>> d_outputs.shape, d_state[0].shape
    ((3, 4, 1, 2), (3, 1, 2))
    """
    leaves, structure = pytree.leaves(state), pytree.structure(state)
    moving = [k for k, leaf in enumerate(leaves) if is_floating(leaf._data)]

    def steps(floating: Sequence[Tensor], *_: Any) -> Any:
        for k, leaf in zip(moving, floating, strict=True):
            leaves[k] = leaf
        return layer(x) if state is None else layer(x, pytree.unflatten(structure, leaves))

    tangents = None if moved is None else [pytree.leaves(moved)[k] for k in moving]
    with no_grad():
        (outputs, final), (d_outputs, d_final) = jvp(
            steps,
            ([leaves[k] for k in moving], *parameters),
            (tangents if moving else [], *directions),
        )
    return outputs, final, d_outputs, d_final


def _basis(parameters: Sequence[Tensor], block: slice) -> tuple[Array, ...]:
    """For each parameter (K, ...): in direction k, element `block.start + k` of all is one."""
    found, first = [], 0
    for p in parameters:
        direction = np.zeros((block.stop - block.start, p.size), p.dtype)
        inside = np.arange(max(block.start, first), min(block.stop, first + p.size))
        direction[inside - block.start, inside - first] = 1
        found.append(direction.reshape(-1, *p.shape))
        first += p.size
    return tuple(found)


def _pattern(
    layer: Any, x: Tensor, parameters: tuple[Tensor, ...], blocks: Sequence[slice], order: int
) -> list[Any]:
    """Which parameters reach which elements of a state within so many steps, bools (K, ...).

    From random states and inputs; several, as a rectifier may stop some.
    """
    rng = np.random.default_rng(0)
    with no_grad():
        like = layer(x[:1])[1]
    found: list[Any] = [None] * len(blocks)
    for _ in range(_DRAWS):
        state = _random_like(like, rng)
        inputs = Tensor.of(rng.standard_normal((order, *x.shape[1:])).astype(x.dtype))
        for number, block in enumerate(blocks):
            basis = _basis(parameters, block)
            moved = forward_step(layer, inputs, state, None, parameters, basis)[3]
            reached = pytree.map(lambda t: t.data != 0, moved)
            before = reached if found[number] is None else found[number]
            found[number] = pytree.map(np.logical_or, before, reached)
    return found


def _random_like(nest: Any, seed: Any) -> Any:
    """Normal numbers in the place of each leaf; `seed`: of a generator, or that."""
    rng = np.random.default_rng(seed)
    return pytree.map(
        lambda leaf: Tensor.of(rng.standard_normal(leaf.shape).astype(leaf.dtype)), nest
    )
