"""Strategies: they reach every kind of array and argument, and all they draw is valid."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given

from tinygrad_rnn.invocation import install_command
from tinygrad_rnn.testing import strategies as s


@pytest.mark.parametrize(
    "kind",
    [
        lambda a: a.ndim == 0,
        lambda a: a.size == 0,
        lambda a: a.ndim > 1 and a.flags.f_contiguous and not a.flags.c_contiguous,
        lambda a: a.size > 1 and not a.flags.c_contiguous and a.strides[-1] > a.itemsize,
        lambda a: any(stride < 0 for stride in a.strides) and a.size > 1,
        lambda a: not a.flags.writeable,
        lambda a: len(set(a.ravel())) < a.size,
    ],
)
def test_every_kind_of_array_is_reached(kind) -> None:
    assert kind(find(s.arrays(), kind))


@given(s.arrays(dtype=s.dtypes()))
def test_arrays_are_exact_in_float32(a) -> None:
    np.testing.assert_array_equal(a.astype(np.float32), a)


@given(s.broadcastable_shapes(3))
def test_shapes_broadcast(shapes) -> None:
    np.broadcast_shapes(*shapes)


@given(s.operands(3))
def test_operands_broadcast(arrays) -> None:
    np.broadcast_arrays(*arrays)


def test_operands_are_sometimes_one_array() -> None:
    x, y = find(s.operands(), lambda pair: pair[0] is pair[1])
    assert x is y


@given(s.shapes().flatmap(lambda shape: s.st.tuples(s.st.just(shape), s.axes(len(shape)))))
def test_axes_are_valid(pair) -> None:
    shape, axis = pair
    np.sum(np.zeros(shape), axis=axis)


@given(s.shapes().flatmap(lambda shape: s.st.tuples(s.st.just(shape), s.indices(shape))))
def test_indices_are_valid(pair) -> None:
    shape, index = pair
    np.zeros(shape)[index]


def test_extremes_reach_far() -> None:
    assert find(s.extremes(), lambda x: abs(x) > 1e25)
    assert 0 < find(s.extremes(), lambda x: 0 < abs(x) < 1e-25) < 1e-25


def test_a_call_exchanges_its_arrays_in_nested_lists() -> None:
    a, b = np.zeros(1), np.ones(2)
    call = s.Call(([a, (b, 3)], np.arange(2)), {"axis": 0})
    assert call.floats()[0] is a and call.floats()[1] is b
    assert call.with_floats(["p", "q"]).args[0] == ["p", ("q", 3)]


def test_without_hypothesis_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import tinygrad_rnn.testing as testing, tinygrad_rnn as tg\n"
        "testing.gradcheck(tg.tanh, [0.5])\n"
        "try:\n    import tinygrad_rnn.testing.strategies\n"
        "except ImportError as error:\n    print(error)\n"
        "try:\n    testing.check_op(tg.tanh, None)\n"
        "except ImportError as error:\n    print(error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.count(install_command("test")) == 2
