"""A state machine drives Tensors, and a naive engine beside them: they agree whatever happens.

Views, in-place operators, detach, no_grad, hooks, retained gradients, backward once and again,
writes into arrays that a gradient still needs. After every step all values and gradients are equal.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

import tinygrad_rnn as tg

naive = runpy.run_path(str(Path(__file__).with_name("reference_engine.py")))


def constant(value):
    return naive["leaf"](value, requires_grad=False)


_N = 2
"""All tensors are 2 x 2, or rows of them."""

VALUES = st.integers(-8, 8).map(lambda n: n / 8)
MATRICES = st.lists(VALUES, min_size=_N * _N, max_size=_N * _N).map(
    lambda numbers: np.array(numbers).reshape(_N, _N)
)


class Pair:
    """A Tensor and the naive engine's variable that stands for the same."""

    def __init__(self, tensor, variable):
        self.tensor, self.variable = tensor, variable


class Machine(RuleBasedStateMachine):
    """Each rule does one thing to both."""

    pairs = Bundle("pairs")

    def __init__(self):
        super().__init__()
        self.all: list[Pair] = []
        self.recording = True

    def keep(self, tensor, variable):
        pair = Pair(tensor, variable)
        self.all.append(pair)
        return pair

    @initialize(target=pairs, value=MATRICES, other=MATRICES)
    def begin(self, value, other):
        return multiple(
            self.keep(tg.tensor(value, requires_grad=True), naive["leaf"](value)),
            self.keep(tg.tensor(other), constant(other)),
        )

    @rule(target=pairs, value=MATRICES)
    def make_leaf(self, value):
        return self.keep(tg.tensor(value, requires_grad=True), naive["leaf"](value))

    def recorded(self, tensor, variable):
        """A new pair; without recording the naive one has no parents either."""
        if not self.recording:
            variable = constant(variable.value)
        return self.keep(tensor, variable)

    @rule(target=pairs, x=pairs, y=pairs, name=st.sampled_from(["add", "mul"]))
    def binary(self, x, y, name):
        with self.mode():
            tensor = {"add": lambda a, b: a + b, "mul": lambda a, b: a * b}[name](
                x.tensor, y.tensor
            )
        return self.recorded(tensor, naive[name](x.variable, y.variable))

    @rule(target=pairs, x=pairs)
    def squashed(self, x):
        with self.mode():
            tensor = np.tanh(x.tensor)
        return self.recorded(tensor, naive["tanh"](x.variable))

    @rule(target=pairs, x=pairs, y=pairs)
    def product(self, x, y):
        if x.tensor.ndim < 2 or y.tensor.ndim < 2:
            return multiple()
        with self.mode():
            tensor = x.tensor @ y.tensor
        return self.recorded(tensor, naive["matmul"](x.variable, y.variable))

    @rule(target=pairs, x=pairs)
    def transposed_view(self, x):
        with self.mode():
            tensor = x.tensor.T
        return self.recorded(tensor, naive["transpose"](x.variable))

    @rule(target=pairs, x=pairs, index=st.integers(0, _N - 1))
    def row_view(self, x, index):
        if x.tensor.ndim < 2:
            return multiple()
        with self.mode():
            tensor = x.tensor[index]
        return self.recorded(tensor, naive["row"](x.variable, index))

    @rule(target=pairs, x=pairs)
    def detached(self, x):
        return self.keep(x.tensor.detach(), constant(x.variable.value))

    @rule()
    def toggle_recording(self):
        self.recording = not self.recording

    def mode(self):
        return tg.enable_grad() if self.recording else tg.no_grad()

    @rule(x=consumes(pairs), y=pairs, name=st.sampled_from(["add", "mul"]), target=pairs)
    def in_place(self, x, y, name):
        """`t += u`: in the array where no graph can see it, a new tensor where one is recorded."""
        tensor, before = x.tensor, x.tensor
        if np.broadcast_shapes(x.tensor.shape, y.tensor.shape) != x.tensor.shape:
            return x
        leaf = before.op is None and before.requires_grad
        recorded = self.recording and (before.requires_grad or y.tensor.requires_grad)
        with self.mode():
            if recorded and leaf:
                with pytest.raises(RuntimeError, match="in place on a leaf"):
                    tensor += y.tensor
                return x
            value = naive[name](x.variable, y.variable)
            if not recorded and self.others_see(before):
                return x  # the naive engine shares no memory: it cannot say what is right
            if name == "add":
                tensor += y.tensor
            else:
                tensor *= y.tensor
        if recorded:
            assert tensor is not before
            return self.keep(tensor, value)
        assert tensor is before
        x.variable.value = value.value
        return x

    def others_see(self, tensor):
        """Whether the array is another tensor's too, or part of a graph."""
        others = [p for p in self.all if p.tensor is not tensor]
        if any(np.shares_memory(p.tensor._data, tensor._data) for p in others):
            return True
        return tensor.op is not None or any(self.reads(p.tensor, tensor) for p in others)

    def reads(self, root, tensor):
        waiting, seen = [root], set()
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            for x in node.inputs or ():
                if x is tensor:
                    return True
                if isinstance(x, tg.Tensor):
                    waiting.append(x)
        return False

    @rule(x=pairs, factor=st.sampled_from([2.0, -0.5]))
    def hook(self, x, factor):
        if not x.variable.requires_grad:
            with pytest.raises(RuntimeError, match="requires no gradient"):
                x.tensor.register_hook(lambda grad: grad * factor)
            return
        x.tensor.register_hook(lambda grad: grad * factor)
        x.variable.hooks.append(lambda grad: grad * factor)

    @rule(x=pairs)
    def retain(self, x):
        if x.variable.requires_grad:
            x.tensor.retain_grad()
            x.variable.retains_grad = True

    @rule(x=pairs)
    def forget(self, x):
        x.tensor.zero_grad()
        x.variable.grad = None

    @rule(x=pairs, keep=st.booleans())
    def backward(self, x, keep):
        if not x.tensor.requires_grad:
            with pytest.raises(RuntimeError):
                x.tensor.backward(np.ones(x.tensor.shape))
            return
        grads = {id(p): p.tensor.grad for p in self.all}
        weights = np.arange(1.0, x.tensor.size + 1).reshape(x.tensor.shape)
        if self.any_freed(x.tensor):
            with pytest.raises(tg.GraphFreedError):
                x.tensor.backward(weights)
            assert all(p.tensor.grad is grads[id(p)] for p in self.all), "half a backward pass"
            return
        x.tensor.backward(weights, retain_graph=keep)
        x.variable.backward(weights)

    @staticmethod
    def any_freed(root):
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.op is not None and node.inputs is None:
                return True
            waiting += [
                x for x in node.inputs or () if isinstance(x, tg.Tensor) and x.requires_grad
            ]
        return False

    @rule(x=pairs, keep=st.booleans())
    def stale_write(self, x, keep):
        """A factor changed between forward and backward is an error, never a wrong gradient."""
        leaf = tg.tensor(np.ones(x.tensor.shape), requires_grad=True)
        factor = tg.tensor(x.variable.value)
        product = leaf * factor
        if keep:
            factor.data[...] = 7.0
        else:
            with tg.no_grad():
                factor += 1.0
        with pytest.raises(tg.StaleValueError):
            product.backward(np.ones(x.tensor.shape))
        assert leaf.grad is None

    @invariant()
    def same_values_and_gradients(self):
        for pair in self.all:
            np.testing.assert_allclose(pair.tensor._data, pair.variable.value, rtol=1e-12, atol=0)
            assert pair.tensor.requires_grad == pair.variable.requires_grad
            ours, theirs = pair.tensor.grad, pair.variable.grad
            if theirs is None:
                assert ours is None
            else:
                np.testing.assert_allclose(ours._data, theirs, rtol=1e-9, atol=1e-12)


def test_tensors_and_the_naive_engine_agree() -> None:
    current = settings()
    run_state_machine_as_test(
        Machine, settings=settings(current, stateful_step_count=25, deadline=None)
    )


until_the_first_failure = settings(
    settings(),
    max_examples=300,
    stateful_step_count=25,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)


@pytest.mark.parametrize("fault", ["tanh"])
def test_a_fault_in_an_op_is_found(fault, monkeypatch) -> None:
    op = getattr(tg, fault)
    first, *others = op.rules
    wrong = lambda grad, *rest: first(grad, *rest) * (1 + 1e-7)
    monkeypatch.setattr(op, "rules", [wrong, *others])
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        run_state_machine_as_test(Machine, settings=until_the_first_failure)


def test_the_naive_engine_is_naive() -> None:
    source = Path(__file__).with_name("reference_engine.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 100
