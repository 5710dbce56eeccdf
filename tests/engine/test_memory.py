"""Long graphs need no recursion; dropped graphs go at once, with no garbage collector."""

from __future__ import annotations

import contextlib
import gc
import platform
import subprocess
import sys
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


def chain(x, length):
    y = x
    for _ in range(length):
        y = -y
    return y


def test_a_deep_graph_forward_and_backward_and_gone(no_collector) -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = chain(x, 200_000)
    assert repr(y) == "tensor([1., 2.], dtype=float32, op=neg)"
    y.backward([1.0, 10.0])
    assert x.grad.tolist() == [1, 10]


def test_a_long_graph_is_freed_without_a_backward_pass(no_collector) -> None:
    x = tg.tensor([1.0], requires_grad=True)
    y = chain(x, 20 * sys.getrecursionlimit())
    gone = weakref.ref(y)
    del y
    assert gone() is None


GRAPHS = {
    "chain": lambda x: chain(x, 10),
    "diamond": lambda x: (x * 2) * (x + 1),
    "several outputs": lambda x: sum(tg.split(x, 2), tg.zeros(1)),
    "product": lambda x: tg.prod(x),
    "indexing": lambda x: x[[0, 1, 1]].sum(),
    "mask": lambda x: tg.log(x, where=x > 0),
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("use", ["dropped", "backward", "create_graph", "grad", "failed"])
def test_no_reference_cycles(name, use, no_collector) -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = GRAPHS[name](x)
    watched = [weakref.ref(y), weakref.ref(y.data)]
    if use == "backward":
        y.sum().backward()
    elif use == "create_graph":
        y.sum().backward(create_graph=True)
        watched += [weakref.ref(x.grad), weakref.ref(x.grad.data)]
        x.zero_grad()
    elif use == "grad":
        (g,) = tg.grad(y.sum(), x, create_graph=True)
        watched.append(weakref.ref(g))
        del g
    elif use == "failed":
        with contextlib.suppress(ValueError):
            y.backward(np.zeros(17))
    del y
    assert [ref() for ref in watched] == [None] * len(watched)


def test_backward_frees_values_it_needs_no_more(no_collector) -> None:
    x = tg.tensor(np.ones(3), requires_grad=True)
    middle = tg.exp(x)
    gone = weakref.ref(middle.data)
    y = middle * middle
    del middle
    assert gone() is not None
    y.sum().backward()
    assert gone() is None


def test_a_hook_and_a_name_make_no_cycle(no_collector) -> None:
    x = tg.tensor([1.0], requires_grad=True)
    y = (x * 2).named("gate")
    y.register_hook(lambda grad: None)
    y.retain_grad()
    y.backward()
    gone = weakref.ref(y)
    del y
    assert gone() is None


TWO_STEPS = """
import resource, numpy as np, tinygrad_rnn as tg
x = tg.tensor(np.ones(2**14), requires_grad=True)  # 128 KB
def step():
    y = x
    for _ in range(100):
        y = tg.tanh(y)
    y.sum().backward()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
step(), step()
print(min(faults() for _ in range(3)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is spoken to")
def test_memory_that_a_backward_pass_freed_serves_the_next_forward_pass() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", TWO_STEPS], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < 100 * 32 / 4, "pages are given back to the system and taken again"
