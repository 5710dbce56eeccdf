"""Hypothesis strategies: arrays of every kind NumPy has, and arguments that fit them.

Made to shrink to what a person can read: small shapes, eighths, plain layouts. Needs the `test`
extra: `pip install 'tinygrad-rnn[test]'`.

>>> from hypothesis import given
>>> from tinygrad_rnn.testing import strategies
>>> @given(strategies.arrays())
... def test_my_op(x): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

try:
    from hypothesis import Phase, given, settings
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise ImportError(
        "tinygrad_rnn.testing.strategies needs hypothesis, which the extra 'test' brings: "
        "pip install 'tinygrad-rnn[test]'"
    ) from error

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]
    Strategy = st.SearchStrategy[Any]

__all__ = [
    "Call",
    "Phase",
    "arrays",
    "axes",
    "axis",
    "broadcastable_shapes",
    "calls",
    "dtypes",
    "extremes",
    "given",
    "indices",
    "layouts",
    "numbers",
    "operands",
    "settings",
    "shapes",
    "st",
]


def dtypes() -> Strategy:
    """float32 and float64.

    >>> from hypothesis import find
    >>> find(dtypes(), lambda dtype: True)
    dtype('float64')
    """
    return st.sampled_from([np.dtype(np.float64), np.dtype(np.float32)])


def numbers(low: float = -4.0, high: float = 4.0) -> Strategy:
    """Numbers from `low` to `high` that float32 holds exactly: eighths, and finer ones.

    Eighths meet each other often, which is how ties, zeros and cancellation are found.

    >>> from hypothesis import find
    >>> find(numbers(), lambda x: 1 < x < 1.5 and x * 8 % 1 == 0)
    1.125
    """
    eighths = st.integers(int(np.ceil(low * 8)), int(np.floor(high * 8))).map(lambda n: n / 8)
    fine = st.integers(int(np.ceil(low * 4096)), int(np.floor(high * 4096)))
    return eighths | fine.map(lambda n: n / 4096)


def extremes(largest: float = 1e30) -> Strategy:
    """Numbers of every magnitude from 1/`largest` to `largest`, of both signs, and zero.

    >>> from hypothesis import find
    >>> find(extremes(), lambda x: x > 1e20)
    1e+21
    """
    most = int(np.log10(largest))
    powers = st.integers(-most, most).map(lambda n: 10.0**n)
    return st.just(0.0) | st.builds(lambda p, sign: sign * p, powers, st.sampled_from([1, -1]))


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> Strategy:
    """Shapes, 0-d and size-0 ones among them.

    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: 0 in shape)
    (0,)
    """
    sides = st.integers(min_side, max_side)
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


def broadcastable_shapes(count: int = 2, max_dims: int = 3, max_side: int = 3) -> Strategy:
    """Tuples of `count` shapes that broadcast together.

    >>> from hypothesis import find
    >>> shapes = find(broadcastable_shapes(), lambda pair: pair[0] != pair[1])
    >>> len(shapes)
    2
    """
    mutually = hnp.mutually_broadcastable_shapes(
        num_shapes=count, max_dims=max_dims, max_side=max_side, min_side=0
    )
    return mutually.map(lambda found: found.input_shapes)


def _fortran(a: Array) -> Array:
    return np.asfortranarray(a) if a.ndim else a


def _strided(a: Array) -> Array:
    wide = np.repeat(a, 2, axis=-1) if a.ndim else np.repeat(a, 2)
    return wide[..., ::2] if a.ndim else wide[::2].reshape(())


def _negatively_strided(a: Array) -> Array:
    return np.flip(np.flip(a).copy()) if a.ndim else a


def _read_only(a: Array) -> Array:
    a.flags.writeable = False
    return a


def layouts() -> st.SearchStrategy[Callable[[Array], Array]]:
    """Functions that lay an array out anew in memory, with the same values.

    Contiguous, Fortran-ordered, strided, negatively strided and read-only.

    >>> from hypothesis import find
    >>> lay_out = find(layouts(), lambda f: f(np.zeros(3)).strides[0] < 0)
    >>> lay_out(np.array([1.0, 2.0, 3.0]))
    array([1., 2., 3.])
    """
    return st.sampled_from([np.copy, _fortran, _strided, _negatively_strided, _read_only])


def arrays(
    shape: Shape | Strategy | None = None,
    elements: Strategy | None = None,
    dtype: npt.DTypeLike | Strategy = np.float64,
    layout: Strategy | None = None,
) -> Strategy:
    """Arrays of any shape (`shapes()`) and memory layout (`layouts()`), of `numbers()`.

    >>> from hypothesis import find
    >>> find(arrays(), lambda a: a.ndim == 2 and a.size)
    array([[0.]])
    """
    return st.builds(
        lambda lay_out, array: lay_out(array),
        layouts() if layout is None else layout,
        hnp.arrays(
            dtype,
            shapes() if shape is None else shape,
            elements=numbers() if elements is None else elements,
        ),
    )


def operands(count: int = 2, elements: Strategy | None = None) -> Strategy:
    """Tuples of `count` arrays whose shapes broadcast; sometimes all are the very same array.

    >>> from hypothesis import find
    >>> x, y = find(operands(), lambda pair: pair[0] is pair[1])
    """
    several = broadcastable_shapes(count).flatmap(
        lambda found: st.tuples(*(arrays(shape, elements) for shape in found))
    )
    aliased = arrays(elements=elements).map(lambda a: (a,) * count)
    return several | aliased


def axis(ndim: int) -> Strategy:
    """One axis of an array of `ndim` axes, counted from either end.

    >>> from hypothesis import find
    >>> find(axis(2), lambda axis: axis < 0)
    -1
    """
    return st.integers(0, ndim - 1) | st.integers(-ndim, -1)


def axes(ndim: int) -> Strategy:
    """What NumPy's reductions take as `axis`: None, an int, a tuple of different ones, ().

    >>> from hypothesis import find
    >>> find(axes(3), lambda axis: isinstance(axis, tuple) and len(axis) == 2)
    (0, 1)
    """
    subsets = st.lists(st.integers(0, ndim - 1), unique=True) if ndim else st.just([])
    tuples = st.builds(
        lambda chosen, negative: tuple(a - ndim if negative else a for a in chosen),
        subsets,
        st.booleans(),
    )
    return st.none() | axis(ndim) | tuples if ndim else st.none() | tuples


def indices(shape: Shape) -> Strategy:
    """Anything that indexes an array of `shape`: ints, slices, ..., None, int and bool arrays.

    >>> from hypothesis import find
    >>> find(indices((2, 3)), lambda index: isinstance(index, np.ndarray))
    array([False, False])
    """
    basic = hnp.basic_indices(shape, allow_newaxis=True, max_dims=5)
    kinds: list[Strategy] = [basic]
    if shape:
        kinds.append(hnp.arrays(np.bool_, shape[:1]))
        kinds.append(hnp.arrays(np.bool_, shape))
    if shape and 0 not in shape:
        kinds.append(hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2)))
        kinds.append(
            st.tuples(
                hnp.basic_indices(shape[:1], allow_ellipsis=False),
                *(st.lists(axis(size), min_size=1, max_size=3) for size in shape[1:2]),
            ).map(lambda parts: (*_as_tuple(parts[0]), *parts[1:]))
        )
    return st.one_of(kinds)


def _as_tuple(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


class Call(NamedTuple):
    """The arguments of one call, its floating-point arrays exchangeable.

    >>> call = Call((np.zeros(2), "mode"), {"axis": 0})
    >>> call.floats()
    [array([0., 0.])]
    >>> call.with_floats([5.0])
    Call(args=(5.0, 'mode'), kwargs={'axis': 0})
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def floats(self) -> list[Array]:
        """The floating-point arrays, those in lists and tuples too, in order."""
        return list(_floats_in(self.args))

    def with_floats(self, replacements: Any) -> Call:
        """The same call with other values, such as Tensors, in the place of `floats()`."""
        return Call(_replaced(self.args, iter(replacements)), self.kwargs)


def _floats_in(part: Any) -> Iterator[Array]:
    if isinstance(part, np.ndarray) and part.dtype.kind == "f":
        yield part
    elif isinstance(part, tuple | list):
        for inner in part:
            yield from _floats_in(inner)


def _replaced(part: Any, replacements: Iterator[Any]) -> Any:
    if isinstance(part, np.ndarray) and part.dtype.kind == "f":
        return next(replacements)
    if isinstance(part, tuple | list):
        return type(part)(_replaced(inner, replacements) for inner in part)
    return part


def calls(*arguments: Any, **keywords: Any) -> Strategy:
    """Calls with these arguments, each a strategy or a value.

    >>> from hypothesis import find
    >>> find(calls(arrays((2,)), axis=0), lambda call: True)
    Call(args=(array([0., 0.]),), kwargs={'axis': 0})
    """
    return st.builds(
        Call,
        st.tuples(*map(_strategy, arguments)),
        st.fixed_dictionaries({name: _strategy(value) for name, value in keywords.items()}),
    )


def _strategy(value: Any) -> Strategy:
    return value if isinstance(value, st.SearchStrategy) else st.just(value)
