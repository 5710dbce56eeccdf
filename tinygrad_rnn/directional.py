"""Directional derivatives: Jacobian-vector products (forward mode) and Hessian-vector products.

There are no rules for forward mode. A VJP is linear in the gradient that it is given, so its own
VJP with respect to that gradient is its transpose, and the transpose of a vector-Jacobian product
is a Jacobian-vector product (Townsend, "A new trick for calculating Jacobian vector products",
2017). A Hessian-vector product is the gradient of a gradient in one direction (Pearlmutter, "Fast
exact multiplication by the Hessian", Neural Computation 6, 1994).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import ops, pytree
from .engine.autograd import OutputGradients, propagate
from .engine.dtypes import is_floating
from .engine.recording.broadcasting import unbroadcast
from .engine.recording.mode import ModeChange, enable_grad
from .engine.recording.node import Node
from .engine.tensor import Tensor, from_numpy, tensor
from .engine.transforms import grad
from .errors import GraphFreedError

__all__ = ["hvp", "jvp"]


def jvp(
    f: Callable[..., Any], primals: Any, tangents: Any, *, create_graph: bool = False
) -> tuple[Any, Any]:
    """`f(*primals)`, and its derivative in the direction of the tangents: forward mode.

    `primals`: a tuple of arguments, or the only argument; each is a pytree of Tensors, arrays or
    numbers. `tangents`: like the primals, with the same shapes; None for an argument that is held
    fixed. `f` returns a pytree of Tensors, and so does the tangent of that. A Tensor of the primals
    that requires a gradient is given to `f` as it is: the derivative also counts where `f` reads it
    besides its arguments, so parameters may be given as they are.

    With a leading axis on each tangent, (K, ...) for a primal of shape (...), K directions are
    taken at once, and each tangent of the result has that axis too. `create_graph`: record the
    results, so that they can be differentiated.

    A scan takes its tangents forward in one loop, step by step beside the values. ValueError if
    structures or shapes differ, TypeError for a primal that is not of floating-point numbers.

    >>> import tinygrad_rnn as tg
    >>> value, tangent = tg.jvp(lambda x, y: x * y, (3.0, 2.0), (1.0, 10.0))
    >>> value.item(), tangent.item()
    (6.0, 32.0)
    >>> _, both = tg.jvp(tg.sin, tg.zeros(1), [[1.0], [2.0]])
    >>> both
    tensor([[1.],
            [2.]], dtype=float32)
    """
    call, leaves = _called_with(primals, "jvp")
    directions, size = _directions(primals, tangents, leaves, "jvp")
    with enable_grad():
        out = f(*call)
    known = {x: t for x, t in zip(leaves, directions, strict=True) if t is not None}
    found = _Tangents(known, size, create_graph)
    results = pytree.leaves(out)
    for leaf in results:
        if not isinstance(leaf, Tensor):
            raise TypeError(f"jvp: f must return Tensors, it returned {pytree.described(out)}")
    found.propagate(results)
    tangent = pytree.map(found.of, out)
    return (out, tangent) if create_graph else (pytree.detach(out), tangent)


def hvp(
    f: Callable[..., Tensor], primals: Any, v: Any, *, create_graph: bool = False
) -> tuple[Tensor, Any]:
    """`f(*primals)`, a Tensor of one element, and its Hessian times `v`, a pytree like the primals.

    `primals` and `v`: as in `jvp`, so parameters may be given as they are. The matrix is never
    made: the product costs a few times the gradient. `create_graph`: record the results.
    ValueError if structures or shapes differ, or if `f` returns more than one element.

    >>> import tinygrad_rnn as tg
    >>> value, product = tg.hvp(lambda x: (x**3).sum(), tg.tensor([1.0, 2.0]), [1.0, 10.0])
    >>> value.item(), product
    (9.0, tensor([  6., 120.], dtype=float32))
    """
    call, leaves = _called_with(primals, "hvp")
    directions, size = _directions(primals, v, leaves, "hvp")
    if size is not None:
        raise ValueError("hvp takes one vector, of the shapes of the primals")
    with ModeChange(grad=True, twice=True):
        value = f(*call)
    with enable_grad():
        if not isinstance(value, Tensor) or value.size != 1:
            raise ValueError(
                f"hvp: f must return a Tensor of one element, not {pytree.described(value)}"
            )
        slopes: Sequence[Any] = ()
        varied = {x: d for x, d in zip(leaves, directions, strict=True) if d is not None}
        if value.requires_grad and varied:
            slopes = grad(value, [*varied], create_graph=True, allow_unused=True)
        pairs = [(g, d) for g, d in zip(slopes, varied.values()) if g is not None]
        pairs = [(g, d) for g, d in pairs if g.requires_grad]
        learned = [x for x in leaves if x.requires_grad]
        found: dict[Node, Any] = {}
        if pairs:
            outputs, vectors = [g for g, _ in pairs], [d for _, d in pairs]
            products = grad(outputs, learned, vectors, create_graph, allow_unused=True)
            found = dict(zip(learned, products, strict=True))
    each = [Tensor.of(np.zeros_like(x._data)) if found.get(x) is None else found[x] for x in leaves]
    product = pytree.unflatten(primals, each)
    return (value if create_graph else value.detach()), product


def _called_with(primals: Any, what: str) -> tuple[tuple[Any, ...], list[Tensor]]:
    """The arguments of the call, and their leaves, which require gradients."""
    leaves = []
    for given in pytree.leaves(primals):
        if isinstance(given, Tensor) and given.requires_grad:
            leaves.append(given)
            continue
        if isinstance(given, Tensor):
            leaf = given.detach()
            leaf.name = given.name
        else:
            leaf = from_numpy(given) if isinstance(given, np.ndarray) else tensor(given)
        leaf.requires_grad = is_floating(leaf._data)
        leaves.append(leaf)
    tree = pytree.unflatten(primals, leaves)
    return (tree if type(primals) is tuple else (tree,)), leaves


def _directions(
    primals: Any, tangents: Any, leaves: Sequence[Tensor], what: str
) -> tuple[list[Tensor | None], int | None]:
    """The tangent of each leaf, None for one that is held fixed; and how many there are at once."""
    several = type(primals) is tuple
    if several and (not isinstance(tangents, tuple | list) or len(tangents) != len(primals)):
        raise ValueError(f"{what}: {len(primals)} primals need as many tangents, one for each")
    pairs = list(zip(primals, tangents, strict=True)) if several else [(primals, tangents)]
    found: list[Tensor | None] = []
    for primal, tangent in pairs:
        is_leaf = isinstance(primal, Tensor) or pytree.structure(primal) == "*"
        count = 1 if is_leaf else len(pytree.leaves(primal))
        if tangent is None:
            found += [None] * count
            continue
        if is_leaf:  # nested lists of numbers are an array
            given = [tangent]
        else:
            try:
                given = pytree.leaves(pytree.aligned(tangent, primal))
            except ValueError as error:
                raise ValueError(f"{what}: tangents must be like the primals: {error}") from None
        of = leaves[len(found) : len(found) + count]
        found += [_as_direction(x, t, what) for x, t in zip(of, given, strict=True)]
    sizes = {
        None if t._data.shape == x._data.shape else t._data.shape[0]
        for x, t in zip(leaves, found, strict=True)
        if t is not None
    }
    if len(sizes) > 1:
        raise ValueError(
            f"{what}: each tangent must have the shape of its primal, or all of them one leading "
            f"axis of the same size; primals {[x.shape for x in leaves]}, tangents "
            f"{[None if t is None else t.shape for t in found]}"
        )
    return found, next(iter(sizes), None)


def _as_direction(x: Tensor, tangent: Any, what: str) -> Tensor:
    if not is_floating(x._data):
        raise TypeError(f"{what}: a primal of dtype {x.dtype} has no derivative; its tangent: None")
    t = tangent if isinstance(tangent, Tensor) else Tensor.of(np.array(tangent, x.dtype))
    shape = t._data.shape
    if shape != x._data.shape and shape[1:] != x._data.shape:
        raise ValueError(f"{what}: a tangent of shape {shape} for a primal of shape {x.shape}")
    return t if t._data.dtype == x._data.dtype else t.astype(x.dtype)


class _Tangents:
    """The tangents of nodes, from the first to the last. `size`: of their leading axis, or None."""

    def __init__(self, known: dict[Any, Any], size: int | None, recorded: bool) -> None:
        self._of: dict[Node, Any] = dict(known)
        self._size, self._recorded = size, recorded

    def of(self, x: Tensor) -> Tensor:
        """The tangent of a result."""
        found = self._of.get(x)
        if found is None:
            found = Tensor.of(np.zeros(self._shape(x._data), x._data.dtype))
        return found if self._recorded else found.detach()

    def propagate(self, results: Sequence[Tensor]) -> None:
        """Find the tangents of all nodes behind the results."""
        reached: dict[Node, None] = {}
        waiting: list[Node] = list(results)
        while waiting:
            node = waiting.pop()
            if node not in reached and node not in self._of and node.requires_grad:
                reached[node] = None
                if node.op is not None and node.inputs is None:
                    raise GraphFreedError(
                        f"jvp: f has freed the history of {node.op.name} by a backward pass; "
                        "pass retain_graph=True to it"
                    )
                waiting.extend(x for x in node.inputs or () if isinstance(x, Node))
        with ModeChange(grad=self._recorded):
            for node in sorted(reached, key=lambda node: node.number):
                tangents = [
                    self._of.get(x) if isinstance(x, Node) else None for x in node.inputs or ()
                ]
                if any(t is not None for t in tangents):
                    self._of[node] = self._pushed(node, tangents)

    def _pushed(self, node: Node, tangents: list[Any]) -> Any:
        """The tangent of a node; of an op of several outputs, the tuple of theirs."""
        op = node.op
        assert op is not None and node.inputs is not None
        if op.traits.selects is not None:
            return tangents[0][op.traits.selects]
        inputs = node.inputs
        if not self._recorded:
            inputs = tuple(_alone(x) for x in inputs)
        if op.tangent is not None:
            return op.tangent(tangents, *inputs, size=self._size)
        several = isinstance(node._data, tuple)
        out: Any = node if self._recorded else _alone(node)
        if several and self._recorded:
            out = node.outputs(Tensor)
        cotangents = [_cotangent(x) for x in (node._data if several else (node._data,))]
        with ModeChange(grad=True, watch=None, scope=node.scope):
            given = OutputGradients(cotangents) if several else cotangents[0]
            pulled, directions = [], []
            for position, tangent in enumerate(tangents):
                if tangent is None:
                    continue
                part = op.rule(position)(given, out, *inputs, **(node.attributes or {}))
                part = unbroadcast(part, node.inputs[position]._data)
                if isinstance(part, Tensor) and part.requires_grad:
                    pulled.append(part)
                    directions.append(tangent)
        found = [self._transposed(pulled, directions, u) for u in cotangents]
        return tuple(found) if several else found[0]

    def _transposed(
        self, pulled: Sequence[Tensor], directions: Sequence[Tensor], cotangent: Tensor
    ) -> Tensor:
        """From what a VJP has made of a cotangent to what its transpose makes of tangents."""

        def along(tangents: Sequence[Tensor]) -> Tensor:
            given = tangents if self._recorded else [t._data for t in tangents]
            found = propagate(
                pulled,
                given,
                wanted=[cotangent],
                create_graph=self._recorded,
                retain_graph=True,
            ).get(cotangent)
            if found is None:
                found = np.zeros_like(cotangent._data)
            return found if isinstance(found, Tensor) else Tensor.of(found)

        if self._size is None:
            return along(directions)
        each = [along([t[k] for t in directions]) for k in range(self._size)]
        stacked: Tensor = ops.stack(each)
        return stacked

    def _shape(self, array: Any) -> tuple[int, ...]:
        leading = () if self._size is None else (self._size,)
        return (*leading, *array.shape)


def _alone(x: Any) -> Any:
    """A value without its history."""
    if not isinstance(x, Node):
        return x
    if isinstance(x._data, tuple):
        return tuple(Tensor.of(part) for part in x._data)
    alone = Tensor.of(x._data)
    alone.name = x.name
    return alone


def _cotangent(array: Any) -> Tensor:
    """A dummy: what it is makes no difference to a linear function's transpose."""
    cotangent = Tensor.of(np.zeros_like(array))
    cotangent.requires_grad = is_floating(array)
    return cotangent
