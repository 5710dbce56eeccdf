"""Gradients through time other than backpropagation through the whole sequence, for any cell.

Each takes a recurrent layer, a sequence x (T, B, ...), and `loss(outputs, steps)`: the loss of some
steps, from their outputs (K, B, ...), where `steps` is the slice of time that they are, so that
targets are `targets[steps]`. The loss of a sequence is the sum over its steps. Each returns a
`TimeGradient`; no `.grad` is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd, inf
from typing import Any, NamedTuple

import numpy as np

from .. import nn, pytree
from ..directional import jvp
from ..engine.recording.mode import enable_grad, no_grad
from ..engine.tensor import Tensor
from ..engine.transforms import grad

__all__ = ["Comparison", "TimeGradient", "bptt", "compare_gradients", "rtrl", "snap", "tbptt"]

Array = Any
Loss = Callable[[Tensor, slice], Tensor]
_BLOCK = 256  # parameters whose tangents are taken forward at once


class TimeGradient(NamedTuple):
    """The gradients of a layer's parameters, in their order, and the loss.

    `dropped`: how much of the gradient is left where truncation cuts it: the norm of the state's
    gradient there, as a share of its largest norm inside the window; root mean square over windows.

    >>> TimeGradient(0.5, [np.zeros(2)]).dropped
    0.0
    """

    loss: float
    gradients: list[Array]
    dropped: float = 0.0


def bptt(layer: nn.Recurrent, x: Tensor, loss: Loss, chunk: int | None = None) -> TimeGradient:
    """Exact: backpropagation through all steps (Werbos 1990).

    `chunk`: run this many steps at a time, and pass the gradient of the state from each chunk back
    to the one before it. ValueError if it is less than 1.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.RNN(1, 2), tg.randn(6, 1, 1)
    >>> found = bptt(layer, x, lambda outputs, steps: (outputs**2).sum(), chunk=2)
    >>> [g.shape for g in found.gradients]
    [(2, 1), (2, 2), (2,), (2,)]
    """
    length = len(x) if chunk is None else chunk
    if length < 1:
        raise ValueError(f"bptt takes chunks of at least one step, got {chunk}")
    chunks: list[_Chunk] = []
    with enable_grad():
        for first in range(0, len(x), length):
            state = chunks[-1].final if chunks else None
            steps = slice(first, min(first + length, len(x)))
            chunks.append(_Chunk(layer, x, steps, state, loss))
        found, _ = _through(chunks, list(layer.parameters()), 0)
    return TimeGradient(sum(chunk.loss.item() for chunk in chunks), found)


def tbptt(
    layer: nn.Recurrent, x: Tensor, loss: Loss, k1: int, k2: int | None = None
) -> TimeGradient:
    """Truncated backpropagation: after every `k1` steps, through the last `k2` (k1 by default).

    The windows slide: the loss of each step goes back through at least k2 - k1 steps and at most
    k2, and each pair of a loss and a step is counted once. No step runs forward twice. With
    k2 >= T it is exact. (Williams & Peng, "An efficient gradient-based algorithm for on-line
    training of recurrent network trajectories", Neural Computation 2, 1990.) ValueError if k1 < 1
    or k2 < k1.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.GRU(2, 3), tg.randn(12, 1, 2)
    >>> found = tbptt(layer, x, lambda outputs, steps: (outputs**2).sum(), k1=2, k2=4)
    >>> [g.shape for g in found.gradients]
    [(9, 2), (9, 3), (9,), (9,)]
    """
    steps = len(x)
    k2 = k1 if k2 is None else k2
    if k1 < 1 or k2 < k1:
        raise ValueError(f"tbptt goes back through k2 >= k1 >= 1 steps, got k1={k1}, k2={k2}")
    k1, k2 = min(k1, steps), min(k2, steps)
    length = gcd(k1, k2)
    parameters = list(layer.parameters())
    total, shares, value = [np.zeros(p.shape, p.dtype) for p in parameters], [], 0.0
    chunks: list[_Chunk] = []
    state: Any = None
    with enable_grad():
        for first in range(0, steps, length):
            chunk = _Chunk(layer, x, slice(first, min(first + length, steps)), state, loss)
            chunks, state = [*chunks[1 - k2 // length :], chunk][-(k2 // length) :], chunk.final
            value += chunk.loss.item()
            if chunk.steps.stop % k1 == 0 or chunk.steps.stop == steps:
                own = chunk.steps.stop - ((chunk.steps.stop - 1) // k1) * k1  # steps of this window
                found, share = _through(chunks, parameters, chunk.steps.stop - own)
                total = [a + b for a, b in zip(total, found, strict=True)]
                shares.append(share)
    return TimeGradient(value, total, float(np.sqrt(np.mean(np.square(shares)))))


class _Chunk:
    """Some steps in a row, from a state without history."""

    def __init__(self, layer: Any, x: Tensor, steps: slice, state: Any, loss: Loss) -> None:
        self.steps, self.inputs = steps, []
        if state is not None:
            state = pytree.detach(state)
            self.inputs = pytree.leaves(state)
            for leaf in self.inputs:
                leaf.requires_grad = leaf.dtype.kind == "f"
        outputs, self.final = layer(x[steps], state)
        self.loss = loss(outputs, steps)
        self.first = not self.inputs


def _through(
    chunks: Sequence[_Chunk], parameters: Sequence[Tensor], own: int
) -> tuple[list[Array], float]:
    """The gradient of the losses from step `own` on, back through the chunks; the share left."""
    total = [np.zeros(p.shape, p.dtype) for p in parameters]
    d_state: list[Any] = []
    norms = [0.0]
    for chunk in reversed(chunks):
        outputs, weights = [], []
        if chunk.steps.start >= own and chunk.loss.requires_grad:
            outputs, weights = [chunk.loss], [None]
        leaves = pytree.leaves(chunk.final) if d_state else []
        for leaf, d in zip(leaves, d_state, strict=True):
            if d is not None and leaf.requires_grad:
                outputs.append(leaf)
                weights.append(d)
        varied = [leaf for leaf in chunk.inputs if leaf.requires_grad]
        if not outputs:
            d_state = [None] * len(chunk.inputs)
            continue
        wanted = [*varied, *parameters]
        found = grad(outputs, wanted, weights, allow_unused=True, retain_graph=True)
        of = dict(zip(map(id, varied), found))
        d_state = [of.get(id(leaf)) for leaf in chunk.inputs]
        norms.append(float(np.sqrt(sum((d.data**2).sum() for d in d_state if d is not None))))
        for k, d in enumerate(found[len(varied) :]):
            if d is not None:
                total[k] = total[k] + d.data
    left = 0.0 if chunks[0].first or not max(norms) else norms[-1] / max(norms)
    return total, left


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


def _forward(
    layer: nn.Recurrent, x: Tensor, loss: Loss, length: int, order: int | None
) -> TimeGradient:
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
            outputs, next_state, tangents, moved[number] = _step(
                layer, x[steps], state, moved[number], parameters, block
            )
            if d_outputs is None:
                leaf = outputs.detach()
                leaf.requires_grad = True
                with enable_grad():
                    of_steps = loss(leaf, steps)
                value += of_steps.item()
                (d_outputs,) = grad(of_steps, leaf)
            along = tangents.data.reshape(block.stop - block.start, -1)
            gradient[block] += along @ d_outputs.data.reshape(-1)
            if kept is not None:
                moved[number] = pytree.map(lambda t, m: t * m, moved[number], kept[number])
        state = next_state
    each = np.split(gradient, np.cumsum(sizes)[:-1])
    shaped = [g.reshape(p.shape) for g, p in zip(each, parameters, strict=True)]
    return TimeGradient(value, shaped)


def _step(
    layer: Any, x: Tensor, state: Any, moved: Any, parameters: tuple[Tensor, ...], block: slice
) -> tuple[Tensor, Any, Tensor, Any]:
    """The outputs, the state, and the tangents of both for the parameters of a block."""
    directions = _basis(parameters, block)
    with no_grad():
        if state is None:
            (outputs, final), (d_outputs, d_final) = jvp(
                lambda *_: layer(x), parameters, directions
            )
        else:
            (outputs, final), (d_outputs, d_final) = jvp(
                lambda state, *_: layer(x, state), (state, *parameters), (moved, *directions)
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
    """Which parameters reach which elements of a state within so many steps, from a random one."""
    rng = np.random.default_rng(0)

    def random(like: Tensor) -> Tensor:
        return Tensor.of(rng.standard_normal(like.shape).astype(like.dtype))

    with no_grad():
        state = pytree.map(random, layer(x[:1])[1])
    inputs = Tensor.of(rng.standard_normal((order, *x.shape[1:])).astype(x.dtype))
    moved = [_step(layer, inputs, state, None, parameters, block)[3] for block in blocks]
    return [pytree.map(lambda t: t.data.any(axis=1, keepdims=True), m) for m in moved]


class Comparison(NamedTuple):
    """A gradient compared with the exact one: cosine similarity, and the ratio of their norms.

    >>> Comparison("tbptt(1, 1)", cosine=0.8, norm=0.5, dropped=0.4).cosine
    0.8
    """

    name: str
    cosine: float
    norm: float
    dropped: float


def compare_gradients(
    layer: nn.Recurrent | nn.Cell, x: Tensor, loss: Loss, windows: Sequence[int] = (1, 2, 4, 8, 16)
) -> list[Comparison]:
    """Compare truncated BPTT for windows k2 (k1 = 1), RTRL, SnAp-1 and SnAp-2 with exact BPTT.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.RNN(1, 2), tg.randn(6, 1, 1)
    >>> for row in compare_gradients(layer, x, lambda y, steps: (y**2).sum(), windows=[6]):
    ...     print(row.name, round(row.cosine, 4), round(row.norm, 4))  # doctest: +ELLIPSIS
    tbptt(1, 6) 1.0 1.0
    rtrl 1.0 1.0
    snap-1 ...
    snap-2 1.0 1.0
    """
    if isinstance(layer, nn.Cell):
        layer = nn.Recurrent(layer)
    exact = bptt(layer, x, loss)
    found = {f"tbptt(1, {k})": tbptt(layer, x, loss, 1, k) for k in windows if k <= len(x)}
    found |= {"rtrl": rtrl(layer, x, loss)}
    found |= {f"snap-{n}": snap(layer, x, loss, n) for n in (1, 2)}
    for name, other in found.items():
        if not np.isclose(other.loss, exact.loss, rtol=1e-3, atol=1e-6):
            raise ValueError(
                f"the loss of the steps adds up to {other.loss:.6g} by {name}, but to "
                f"{exact.loss:.6g} at once: loss(outputs, steps) must be a sum over steps"
            )
    return [_compared(name, other, exact) for name, other in found.items()]


def _compared(name: str, one: TimeGradient, exact: TimeGradient) -> Comparison:
    a, b = (np.concatenate([np.ravel(g) for g in found.gradients]) for found in (one, exact))
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    cosine = float(a @ b) / (norms[0] * norms[1]) if all(norms) else float(norms[0] == norms[1])
    return Comparison(name, cosine, norms[0] / norms[1] if norms[1] else inf, one.dropped)
