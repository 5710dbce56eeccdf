"""Hypothesis strategies: arrays of every kind that NumPy has, and matching arguments.

They shrink to readable examples: small shapes, eighths, plain layouts. They need the extra `test`.

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
    from ..invocation import install_command

    raise ImportError(
        "tinygrad_rnn.testing.strategies needs hypothesis, which comes with the extra 'test': "
        f"{install_command('test')}"
    ) from error

from .. import ops
from .cells.runs import complete

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..nn import Cell

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]
    Strategy = st.SearchStrategy[Any]

__all__ = [
    "Call",
    "DrawnProgram",
    "Phase",
    "arrays",
    "axes",
    "axis",
    "broadcastable_shapes",
    "calls",
    "cells",
    "dtypes",
    "extremes",
    "given",
    "indices",
    "layouts",
    "numbers",
    "operands",
    "programs",
    "sequences",
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
    """Numbers from `low` to `high` that float32 represents exactly: eighths, and finer ones.

    Eighths often coincide, which is how ties, zeros and cancellation are found.

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
    """Shapes, including 0-d and empty ones.

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
    """Functions that copy an array into another memory layout.

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
    """Tuples of `count` arrays whose shapes broadcast; sometimes all are the same array object.

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
    """Values of `axis` for NumPy's reductions: None, an int, a tuple of distinct ints, ().

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
    """The arguments of one call, whose floating-point arrays can be replaced.

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
        """The same call with other values, such as Tensors, in place of `floats()`."""
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


class DrawnProgram(NamedTuple):
    """A DAG of ops on some inputs; call it with that many Tensors or arrays.

    Steps name an op, and its inputs by number.
    """

    inputs: tuple[Array, ...]
    steps: tuple[tuple[str, tuple[int, ...]], ...]

    def __call__(self, *xs: Any) -> tuple[Any, ...]:
        """The values that no step reads."""
        values = list(xs)
        read: set[int] = set()
        for name, places in self.steps:
            options = {"axis": -1} if name in _ALONG_THE_LAST_AXIS else {}
            values.append(getattr(ops, name)(*(values[i] for i in places), **options))
            read.update(places)
        return tuple(value for i, value in enumerate(values) if i not in read)


_OF_ONE = ("tanh", "sigmoid", "sin", "cos", "softplus", "silu", "abs", "square", "neg")
_OF_TWO = ("add", "sub", "mul", "maximum", "logaddexp")
_ALONG_THE_LAST_AXIS = ("sum", "mean", "max", "cumsum", "softmax", "logsumexp", "flip")


@st.composite
def programs(draw: Any, max_inputs: int = 3, max_steps: int = 6) -> DrawnProgram:
    """Random programs: inputs of broadcastable shapes, and ops on them and on earlier results.

    >>> from hypothesis import find
    >>> program = find(programs(max_inputs=1), lambda p: "tanh" in dict(p.steps))
    >>> program
    DrawnProgram(inputs=(array(0.),), steps=(('tanh', (0,)),))
    >>> program(np.array([0.0, 1.0]))
    (array([0.        , 0.76159416]),)
    """
    found = draw(broadcastable_shapes(draw(st.integers(1, max_inputs)), max_dims=2))
    inputs = tuple(draw(arrays(shape)) for shape in found)
    sizes = [np.shape(x) for x in inputs]
    steps: list[tuple[str, tuple[int, ...]]] = []
    for _ in range(draw(st.integers(0, max_steps))):
        name = draw(st.sampled_from((*_OF_ONE, *_OF_TWO, *_ALONG_THE_LAST_AXIS)))
        places = tuple(draw(st.integers(0, len(sizes) - 1)) for _ in range(1 + (name in _OF_TWO)))
        shape = _shape_after(name, [sizes[i] for i in places])
        if shape is not None:
            steps.append((name, places))
            sizes.append(shape)
    return DrawnProgram(inputs, tuple(steps))


def _shape_after(name: str, sizes: list[Shape]) -> Shape | None:
    """The shape of a step's result; None if it takes no inputs of these shapes."""
    if name not in _ALONG_THE_LAST_AXIS:
        try:
            return np.broadcast_shapes(*sizes)
        except ValueError:
            return None
    (shape,) = sizes
    if not shape or not shape[-1]:
        return None
    return shape if name in ("cumsum", "softmax", "flip") else shape[:-1]


@st.composite
def sequences(draw: Any, size: int = 2, max_steps: int = 5, max_rows: int = 3) -> Any:
    """Padded batches: x (T, B, size) and the length of each of the B sequences, 0 to T.

    >>> from hypothesis import find
    >>> x, lengths = find(sequences(), lambda found: len(set(found[1].tolist())) > 1)
    >>> x.shape, sorted(lengths.tolist())
    ((1, 2, 2), [0, 1])
    """
    steps, rows = draw(st.integers(0, max_steps)), draw(st.integers(1, max_rows))
    x = draw(arrays((steps, rows, size), layout=st.just(np.copy)))
    lengths = draw(st.lists(st.integers(0, steps), min_size=rows, max_size=rows))
    return x, np.array(lengths)


@st.composite
def cells(draw: Any, /, make: Callable[..., Cell], max_size: int = 3, **sizes: Any) -> Cell:
    """Cells that `make` returns, in float64, with sizes of 1 or more and random parameters.

    Arguments without a default that are not in `sizes` are drawn. The parameters are eighths from
    -1 to 1, all generated from one drawn number, so that sizes shrink quickly.

    >>> import tinygrad_rnn as tg
    >>> from hypothesis import find
    >>> find(cells(tg.nn.GRUCell, hidden_size=2), lambda cell: cell.input_size > 1)
    GRUCell(hidden_size=2, input_size=2)
    """
    names = sorted(complete(make, sizes).keys() - sizes)
    cell = make(**sizes, **{name: draw(st.integers(1, max_size)) for name in names})
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    for parameter in cell.astype("float64").parameters():
        parameter._data = rng.integers(-8, 9, parameter.shape) / 8
    return cell
