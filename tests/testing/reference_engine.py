"""A naive reverse-mode engine in under 100 lines, to hold the real one against.

Nothing is freed, shared, cached or written in place: slow, and plain enough to be believed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


class Variable:
    """A value, how it was made, and the gradient that backward passes have summed up."""

    count = 0

    def __init__(self, value: Array, parents: list[tuple[Variable, Callable[..., Array]]]) -> None:
        self.value = np.array(value)
        self.parents = parents
        self.leaf_requires_grad = False
        self.grad: Array | None = None
        self.retains_grad = False
        self.hooks: list[Callable[[Array], Array]] = []
        Variable.count += 1
        self.number = Variable.count

    @property
    def requires_grad(self) -> bool:
        return self.leaf_requires_grad or bool(self.parents)

    def backward(self, gradient: Array) -> None:
        """Add the gradient of `sum(gradient * self)` to every leaf and every retaining node."""
        arrived: dict[int, Array] = {self.number: np.array(gradient)}
        nodes = {self.number: self}
        while nodes:
            node = nodes.pop(max(nodes))
            grad = arrived.pop(node.number)
            for hook in node.hooks:
                grad = hook(grad)
            if node.retains_grad or not node.parents:
                node.grad = grad.copy() if node.grad is None else node.grad + grad
            for parent, pullback in node.parents:
                part = _summed_to(pullback(grad), parent.value.shape)
                arrived[parent.number] = arrived.get(parent.number, 0.0) + part
                nodes[parent.number] = parent


def leaf(value: Array, requires_grad: bool = True) -> Variable:
    """A value without history."""
    made = Variable(value, [])
    made.leaf_requires_grad = requires_grad
    return made


def record(value: Array, *parents: tuple[Variable, Callable[..., Array]]) -> Variable:
    """A result that knows those of its inputs that require a gradient."""
    return Variable(value, [pair for pair in parents if pair[0].requires_grad])


def _summed_to(grad: Array, shape: tuple[int, ...]) -> Array:
    while grad.ndim > len(shape):
        grad = grad.sum(0)
    for axis, size in enumerate(shape):
        if size == 1 and grad.shape[axis] != 1:
            grad = grad.sum(axis, keepdims=True)
    return grad


def add(x: Variable, y: Variable) -> Variable:
    return record(x.value + y.value, (x, lambda g: g), (y, lambda g: g))


def mul(x: Variable, y: Variable) -> Variable:
    return record(x.value * y.value, (x, lambda g: g * y.value), (y, lambda g: g * x.value))


def tanh(x: Variable) -> Variable:
    return record(np.tanh(x.value), (x, lambda g: g * (1 - np.tanh(x.value) ** 2)))


def matmul(x: Variable, y: Variable) -> Variable:
    return record(x.value @ y.value, (x, lambda g: g @ y.value.T), (y, lambda g: x.value.T @ g))


def transpose(x: Variable) -> Variable:
    return record(x.value.T, (x, lambda g: g.T))


def row(x: Variable, index: int) -> Variable:
    def back(g: Array) -> Array:
        whole = np.zeros(x.value.shape)
        whole[index] = g
        return whole

    return record(x.value[index], (x, back))
