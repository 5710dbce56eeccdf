"""Every public op, on arrays of every kind, through all that `check_op` asks of an op."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.testing import check_op
from tinygrad_rnn.testing.strategies import (
    Call,
    arrays,
    axes,
    axis,
    calls,
    indices,
    numbers,
    operands,
    settings,
    shapes,
    st,
)

EXAMPLES = settings().max_examples * 20 // 100

positive = numbers(0.125, 4.0)
away_from_zero = positive | numbers(-4.0, -0.125)
ints = st.integers


def one(elements=None, **keywords):
    """Calls with one array of any kind."""
    return calls(arrays(elements=elements), **keywords)


def two(left=None, right=None):
    """Calls with two arrays that broadcast."""
    if left is None and right is None:
        return operands(2).map(lambda pair: Call(pair, {}))
    return operands(2, left).flatmap(
        lambda pair: calls(arrays(pair[0].shape, left), arrays(pair[1].shape, right))
    )


def with_shape(build, **limits):
    """Calls with an array, the other arguments drawn by `build(shape)`."""
    return shapes(**limits).flatmap(lambda shape: build(shape))


def over_axes(elements=None, min_side=0, **keywords):
    """Reductions: any axis form, with and without keepdims."""
    return with_shape(
        lambda shape: calls(
            arrays(shape, elements), axis=axes(len(shape)), keepdims=st.booleans(), **keywords
        ),
        min_side=min_side,
    )


def along_one_axis(elements=None, none=False, **limits):
    def build(shape):
        one_axis = axis(len(shape))
        return calls(arrays(shape, elements), axis=one_axis | st.none() if none else one_axis)

    return with_shape(build, **{"min_dims": 1, **limits})


def matrices():
    """Vectors, matrices and batches of them whose inner sizes agree."""
    batches = st.sampled_from([((), ()), ((2,), ()), ((), (2,)), ((2, 1), (3,)), ((1,), (2,))])
    sides = st.integers(0, 3)

    def build(parts):
        (left, right), n, k, m, x_is_vector, y_is_vector = parts
        x = (k,) if x_is_vector else (*left, n, k)
        y = (k,) if y_is_vector else (*right, k, m)
        return calls(arrays(x), arrays(y))

    flags = st.booleans()
    return st.tuples(batches, sides, sides, sides, flags, flags).flatmap(build)


def joined(new_axis):
    """A list of arrays that can be joined, and the axis."""

    def build(shape):
        n = len(shape) + new_axis
        many = st.lists(arrays(shape), min_size=1, max_size=3)
        return calls(many, axis=axis(n))

    return with_shape(build, min_dims=0 if new_axis else 1, max_dims=2)


def permutations(shape):
    orders = st.permutations(range(len(shape))).map(tuple)
    mixed = orders.map(lambda order: tuple(a - len(shape) * (a % 2) for a in order))
    return calls(arrays(shape), st.none() | orders | mixed)


def reshaped(shape):
    size = int(np.prod(shape))
    targets = [(size,), (1, size), (size, 1), shape[::-1], shape]
    targets += [(-1,), (-1, 1), -1] if size else []
    return calls(arrays(shape), shape=st.sampled_from(targets))


def padded(shape):
    widths = [2, (1, 0), ((0, 2),), *([[(i, 1) for i in range(len(shape))]] if shape else [])]
    widths = widths if shape else [0, 2]
    return calls(arrays(shape), pad_width=st.sampled_from(widths), constant_values=numbers())


def updated(shape):
    def with_values(index):
        target = np.zeros(shape)[index].shape
        unique = np.unique(np.arange(np.prod(shape)).reshape(shape)[index]).size
        if unique < np.prod(target):  # a place named twice: only index_add says what happens
            return st.nothing()
        return calls(arrays(shape), st.just(index), arrays(target) | arrays(()))

    return indices(shape).flatmap(with_values)


def split_up(shape):
    def build(at):
        size = shape[at]
        equal = [n for n in (1, 2, 3) if size % n == 0]
        places = st.lists(ints(0, size), max_size=3).map(sorted)
        return calls(arrays(shape), st.sampled_from(equal) | places, axis=st.just(at))

    return axis(len(shape)).flatmap(build)


def taken(shape):
    def build(at):
        size = int(np.prod(shape)) if at is None else shape[at]
        wanted = st.lists(ints(-size, size - 1), max_size=4)
        wanted = wanted.map(lambda ints_: np.array(ints_, np.intp))
        return calls(arrays(shape), wanted | ints(-size, size - 1), axis=st.just(at))

    return (axis(len(shape)) | st.none()).flatmap(build)


def taken_along(shape):
    def build(at):
        wide = (*shape[:at], 2, *shape[at + 1 :]) if at >= 0 else shape
        at = at if at >= 0 else len(shape) - 1
        picks = st.lists(ints(0, shape[at] - 1), min_size=_size(wide), max_size=_size(wide))
        return calls(
            arrays(shape), picks.map(lambda p: np.array(p, np.intp).reshape(wide)), axis=st.just(at)
        )

    return ints(0, len(shape) - 1).flatmap(build)


def _size(shape):
    return int(np.prod(shape))


def repeated(shape):
    def build(at):
        size = _size(shape) if at is None else shape[at]
        each = st.lists(ints(0, 2), min_size=size, max_size=size)
        return calls(arrays(shape), ints(0, 3) | each, axis=st.just(at))

    return (axis(len(shape)) | st.none()).flatmap(build)


def side_by_side(shape):
    return st.lists(arrays(shape), min_size=1, max_size=3).map(lambda some: Call((some,), {}))


def rolled(shape):
    pairs = st.sampled_from([(1, -1), ((1, -2), (0, -1)), (2, (0, -1))])
    one = st.tuples(ints(-4, 4), axis(len(shape)) | st.none()) if shape else st.just((1, None))
    return (one | pairs if len(shape) > 1 else one).flatmap(
        lambda pair: calls(arrays(shape), st.just(pair[0]), axis=st.just(pair[1]))
    )


def differences(shape):
    def build(at):
        slab = (*shape[:at], 2, *shape[at:][1:])
        return calls(arrays(shape), n=ints(0, 2), axis=st.just(at)) | calls(
            arrays(shape), st.just(1), st.just(at), arrays(slab), st.just(0.5)
        )

    return axis(len(shape)).flatmap(build)


def averaged(shape):
    whole = calls(arrays(shape), axes(len(shape)), st.none() | arrays(shape, positive))
    one = axis(len(shape)).flatmap(
        lambda at: calls(arrays(shape), st.just(at), arrays((shape[at],), positive))
    )
    return whole | one


def ordered(**keywords):
    """Along one axis, elements that all differ: where two are equal there is a kink."""
    return along_one_axis(none=True, **keywords).filter(lambda call: _all_differ(call.args[0]))


def medians():
    def build(shape):
        one_axis = st.none() | axis(len(shape))
        return calls(arrays(shape), axis=one_axis, keepdims=st.booleans())

    drawn = with_shape(build, min_dims=1, max_dims=2, min_side=1)
    return drawn.filter(lambda call: _all_differ(call.args[0]))


def cut_up(shape):
    return calls(arrays(shape), ints(1, 4) | st.just([1, 2]), axis=axis(len(shape)))


def _all_differ(x):
    return np.unique(x).size == x.size


DOTS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 3), (3, 2)),
    ((), (2,)),
    ((2, 3), ()),
    ((2, 2), (3, 2, 1)),
]
INNERS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 3), (1, 3)),
    ((), (2,)),
    ((2, 3), (2, 2, 3)),
    ((0,), (0,)),
]
TENSORDOTS = [
    ((2, 3, 2), (2, 3, 1), ([1, 0], [1, 0])),
    ((2, 3), (3, 2), 1),
    ((2, 3), (2, 3), 2),
    ((2,), (3,), 0),
    ((2, 3), (2, 2), (0, -1)),
    ((2, 0), (0, 3), 1),
]  # fmt: skip


def pairs(forms):
    return st.sampled_from(forms).flatmap(
        lambda form: calls(arrays(form[0]), arrays(form[1]), *map(st.just, form[2:]))
    )


CONVOLUTIONS = [  # x, weight, options
    ((2, 2, 5), (3, 2, 3), {}),
    ((2, 5), (3, 2, 2), {"stride": 2, "padding": 1}),
    ((1, 2, 6), (2, 1, 2), {"groups": 2, "dilation": 2, "stride": 3}),
    ((2, 1, 4), (2, 1, 3), {"padding": "same"}),
]
CONVOLUTIONS_2D = [
    ((2, 1, 4, 3), (2, 1, 2, 3), {}),
    ((1, 2, 5, 4), (2, 2, 3, 2), {"stride": (2, 1), "padding": (1, 0)}),
    ((2, 4, 4), (2, 1, 2, 2), {"groups": 2, "dilation": (2, 1), "padding": "valid"}),
    ((1, 1, 3, 4), (1, 1, 3, 2), {"padding": "same"}),
]


def convolved(forms):
    return st.sampled_from(forms).flatmap(
        lambda form: calls(
            arrays(form[0]),
            arrays(form[1]),
            st.none() | arrays(form[1][:1]),
            **{name: st.just(value) for name, value in form[2].items()},
        )
    )


def convolution(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """By the definition: each output element a sum over the window that its kernel sees."""
    dims = weight.ndim - 2
    stride, dilation = (np.broadcast_to(v, dims) for v in (stride, dilation))
    reach = [(k - 1) * d for k, d in zip(weight.shape[2:], dilation)]
    if padding == "same":
        widths = [(r // 2, r - r // 2) for r in reach]
    else:
        widths = [(p, p) for p in np.broadcast_to(0 if padding == "valid" else padding, dims)]
    batched = x.ndim == dims + 2
    x = np.pad(x if batched else x[None], [(0, 0), (0, 0), *widths])
    sizes = [(n - r - 1) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride)]
    out = np.zeros((len(x), len(weight), *sizes), x.dtype)
    each = weight.shape[1]
    for o in range(len(weight)):
        first = o // (len(weight) // groups) * each
        for place in np.ndindex(*sizes):
            window = tuple(
                slice(p * s, p * s + r + 1, d) for p, s, r, d in zip(place, stride, reach, dilation)
            )
            seen = x[(slice(None), slice(first, first + each), *window)]
            out[(slice(None), o, *place)] = (seen * weight[o]).reshape(len(x), -1).sum(axis=1)
    if bias is not None:
        out += bias.reshape(-1, *(1,) * dims)
    return out if batched else out[0]


EINSUMS = [
    ("i,i->", (3,), (3,)),
    ("i,j->ij", (2,), (3,)),
    ("ij,jk->ik", (2, 3), (3, 2)),
    ("bij,bjk->bik", (2, 2, 3), (2, 3, 1)),
    ("...i,ij->...j", (2, 2, 3), (3, 2)),
    ("...i,...i", (2, 1, 3), (2, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iij->j", (2, 2, 3)),
    ("ij->", (2, 3)),
    ("ij->j", (2, 3)),
    ("ij->ji", (2, 3)),
    ("i,j,k->ikj", (2,), (3,), (2,)),
    ("ij,j", (0, 3), (3,)),
    ("ab,ab,b->a", (2, 3), (2, 3), (3,)),
    ("i...->...", (2, 3)),
    ("ij,ij", (2, 2), (2, 2)),
    (",i->i", (), (3,)),
    ("ii,i->i", (2, 2), (2,)),
]


def einsums():
    return st.sampled_from(EINSUMS).flatmap(
        lambda form: calls(form[0], *(arrays(shape) for shape in form[1:]))
    )


def clipped():
    limits = st.sampled_from([(-1.0, 1.0), (None, 0.5), (-0.5, None), (1.0, -1.0)])
    with_numbers = st.tuples(arrays(), limits).map(lambda parts: Call((parts[0], *parts[1]), {}))
    return with_numbers | operands(3).filter(
        lambda three: not np.any(three[1] == three[2])  # there the value is constant
    ).map(lambda three: Call(three, {}))


def chosen():
    return operands(3).map(lambda three: Call((three[0] > 0, *three[1:]), {}))


def softplus(x):
    return np.logaddexp(0, x).astype(x.dtype)


def sigmoid(x):
    return (1 / (1 + np.exp(-x))).astype(x.dtype)


def gelu(x):
    return (0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))).astype(x.dtype)


def softmax(x, axis=-1):
    powers = np.exp(x)
    return powers / np.sum(powers, axis=axis, keepdims=True)


def norm(x, axis=None, keepdims=False):
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


def logsumexp(x, axis=None, keepdims=False):
    return np.logaddexp.reduce(x, axis=axis, keepdims=keepdims)


def index_update(x, index, values, add=False):
    x = x.copy()
    if add:
        np.add.at(x, index, values)
    else:
        x[index] = values
    return x


def has_spread(call):
    """At 0 the gradient of a standard deviation is infinite."""
    return np.min(np.std(*call.args, **call.kwargs)) > 0.1


indexed = partial(with_shape, lambda shape: calls(arrays(shape), indices(shape)))
masked_log = shapes().flatmap(
    lambda shape: calls(arrays(shape, positive), where=arrays(shape).map(lambda m: m > 0))
)

FEW = {"examples": EXAMPLES // 2}  # for what is composed of ops that are checked themselves

# op -> its calls, and what else check_op should know. `order`: how often it is differentiable.
TABLE = {
    "arcsinh": (one(), {}),
    "arccosh": (one(numbers(1.125, 4.0)), {}),
    "arctanh": (one(numbers(-0.875, 0.875)), {}),
    "median": (medians(), FEW),
    "dstack": (with_shape(side_by_side), FEW),
    "array_split": (with_shape(cut_up, min_dims=1), FEW),
    "logical_xor": (two(), {"order": 0}),
    "nan_to_num": (one(), {}),
    "all": (over_axes(), {"order": 0}),
    "any": (over_axes(), {"order": 0}),
    "allclose": (two(), {"own_test": True}),
    "append": (
        joined(new_axis=0).map(lambda c: Call((c.args[0][0], c.args[0][-1]), c.kwargs)),
        FEW,
    ),
    "arccos": (one(numbers(-0.875, 0.875)), {}),
    "arcsin": (one(numbers(-0.875, 0.875)), {}),
    "arctan": (one(), {}),
    "arctan2": (two(away_from_zero), {}),
    "argpartition": (one(), {"own_test": True}),
    "argsort": (
        along_one_axis(none=True),
        {"order": 0, "reference": partial(np.argsort, kind="stable")},
    ),
    "array_equal": (two(), {"own_test": True}),
    "average": (
        with_shape(averaged, min_dims=1, max_dims=2, min_side=2).filter(
            lambda call: _all_differ(call.args[0])  # else all gradients cancel
        ),
        FEW,
    ),
    "ceil": (one(), {"order": 0}),
    "column_stack": (with_shape(side_by_side, min_dims=1), FEW),
    "conv1d": (convolved(CONVOLUTIONS), {"reference": convolution, "examples": 8}),
    "conv2d": (convolved(CONVOLUTIONS_2D), {"reference": convolution, "examples": 6}),
    "cosh": (one(), {}),
    "count_nonzero": (over_axes(), {"order": 0}),
    "cumprod": (along_one_axis(none=True), FEW),
    "diag": (with_shape(lambda s: calls(arrays(s), ints(-2, 2)), min_dims=1, max_dims=2), FEW),
    "diagonal": (
        with_shape(lambda s: calls(arrays(s), ints(-2, 2), ints(0, 1), st.just(-1)), min_dims=3),
        FEW,
    ),
    "diff": (with_shape(differences, min_dims=1, min_side=1), FEW),
    "dot": (pairs(DOTS), FEW),
    "exp2": (one(), {}),
    "floor": (one(), {"order": 0}),
    "full_like": (calls(arrays(), numbers()), {"order": 0}),
    "hstack": (with_shape(side_by_side), FEW),
    "hypot": (two(away_from_zero), {}),
    "inner": (pairs(INNERS), FEW),
    "isclose": (two(), {"order": 0}),
    "log10": (one(positive), {}),
    "log2": (one(positive), {}),
    "log_sigmoid": (one(), {"reference": lambda x: -softplus(-x)}),
    "partition": (one(), {"own_test": True}),
    "ptp": (over_axes(min_side=1), FEW),
    "ravel": (one(), FEW),
    "reciprocal": (one(away_from_zero), {}),
    "roll": (with_shape(rolled), FEW),
    "round": (one(), {"order": 0}),
    "sinh": (one(), {}),
    "sort": (ordered(), FEW),
    "tan": (one(numbers(-1.25, 1.25)), {}),
    "tensordot": (pairs(TENSORDOTS), FEW),
    "trace": (with_shape(lambda s: calls(arrays(s), ints(-1, 1)), min_dims=2), FEW),
    "tril": (with_shape(lambda s: calls(arrays(s), ints(-2, 2)), min_dims=2), FEW),
    "triu": (with_shape(lambda s: calls(arrays(s), ints(-2, 2)), min_dims=2), FEW),
    "trunc": (one(), {"order": 0}),
    "vdot": (pairs([((2, 3), (3, 2)), ((), ()), ((0,), (2, 0))]), FEW),
    "vstack": (with_shape(side_by_side), FEW),
    "abs": (one(), {}),
    "add": (two(), {}),
    "argmax": (along_one_axis(min_side=1, none=True), {"order": 0}),
    "argmin": (along_one_axis(min_side=1, none=True), {"order": 0}),
    "astype": (one(), {"own_test": True}),
    "broadcast_to": (
        shapes(max_dims=2).flatmap(lambda s: calls(arrays(s), shape=st.sampled_from([s, (2, *s)]))),
        {},
    ),
    "clip": (clipped(), {}),
    "concatenate": (joined(new_axis=0), {}),
    "copy": (one(), {}),
    "cos": (one(), {}),
    "cumsum": (along_one_axis(none=True), {}),
    "div": (two(right=away_from_zero), {}),
    "einsum": (einsums(), {}),
    "elu": (
        one(alpha=st.sampled_from([1.0, 0.5])),
        {
            "reference": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
        },
    ),
    "equal": (two(), {"order": 0}),
    "exp": (one(), {}),
    "expand_dims": (
        with_shape(lambda s: calls(arrays(s), axis=axis(len(s) + 1) | st.just((0, -1)))),
        {},
    ),
    "expm1": (one(), {}),
    "flip": (with_shape(lambda s: calls(arrays(s), axis=axes(len(s)))), {}),
    "floor_divide": (two(right=away_from_zero), {"order": 0}),
    "gelu": (one(), {"reference": gelu}),
    "getitem": (indexed(), {"reference": lambda x, index: x[index]}),
    "greater": (two(), {"order": 0}),
    "greater_equal": (two(), {"order": 0}),
    "hadamard": (two(), {"reference": np.multiply}),
    "index_add": (
        with_shape(
            lambda s: indices(s).flatmap(
                lambda i: calls(arrays(s), st.just(i), arrays(np.zeros(s)[i].shape) | arrays(()))
            )
        ),
        {"reference": partial(index_update, add=True)},
    ),
    "index_update": (with_shape(updated), {"reference": index_update}),
    "isfinite": (one(), {"order": 0}),
    "isinf": (one(), {"order": 0}),
    "isnan": (one(), {"order": 0}),
    "leaky_relu": (
        one(negative_slope=st.sampled_from([0.01, 0.5])),
        {
            "reference": lambda x, negative_slope: np.where(x > 0, x, negative_slope * x),
        },
    ),
    "less": (two(), {"order": 0}),
    "less_equal": (two(), {"order": 0}),
    "log": (one(positive), {}),
    "log1p": (one(numbers(-0.875, 4.0)), {}),
    "log_softmax": (along_one_axis(), {"reference": lambda x, axis: np.log(softmax(x, axis))}),
    "logaddexp": (two(), {}),
    "logical_and": (two(), {"order": 0}),
    "logical_not": (one(), {"order": 0}),
    "logical_or": (two(), {"order": 0}),
    "logsumexp": (over_axes(min_side=1), {"reference": logsumexp}),
    "matmul": (matrices(), {}),
    "max": (over_axes(min_side=1), {}),
    "maximum": (two(), {}),
    "mean": (over_axes(min_side=1), {}),
    "min": (over_axes(min_side=1), {}),
    "minimum": (two(), {}),
    "moveaxis": (
        with_shape(lambda s: calls(arrays(s), axis(len(s)), axis(len(s))), min_dims=1),
        {},
    ),
    "mul": (two(), {}),
    "ndim": (one(), {"own_test": True}),
    "neg": (one(), {}),
    "norm": (over_axes(), {"reference": norm}),
    "not_equal": (two(), {"order": 0}),
    "one_hot": (one(), {"own_test": True}),
    "ones_like": (one(), {"order": 0}),
    "outer": (calls(arrays(shapes(max_dims=2)), arrays(shapes(max_dims=1))), {}),
    "pad": (with_shape(padded, max_dims=2), {}),
    "pow": (two(positive, numbers(-3.0, 3.0)), {}),
    "prod": (over_axes(), {}),
    "relu": (one(), {"reference": lambda x: np.maximum(x, 0)}),
    "remainder": (two(right=away_from_zero), {"rtol": 1e-7}),
    "repeat": (with_shape(repeated, min_dims=1), {}),
    "reshape": (with_shape(reshaped), {"reference": lambda x, shape: np.reshape(x, shape)}),
    "shape": (one(), {"own_test": True}),
    "sigmoid": (one(), {"reference": sigmoid}),
    "sign": (one(), {"order": 0}),
    "silu": (one(), {"reference": lambda x: x * sigmoid(x)}),
    "sin": (one(), {}),
    "size": (one(), {"own_test": True}),
    "softmax": (along_one_axis(), {"reference": softmax}),
    "softplus": (one(), {"reference": softplus}),
    "split": (with_shape(split_up, min_dims=1), {}),
    "sqrt": (one(positive), {}),
    "square": (one(), {}),
    "squeeze": (
        with_shape(
            lambda s: calls(
                arrays(s),
                axis=st.sampled_from([None, *(i for i, n in enumerate(s) if n == 1)]),
            )
        ),
        {},
    ),
    "stack": (joined(new_axis=1), {}),
    "std": (over_axes(min_side=2).filter(has_spread), {"reference": np.std}),
    "sub": (two(), {}),
    "sum": (over_axes(), {}),
    "swapaxes": (
        with_shape(lambda s: calls(arrays(s), axis(len(s)), axis(len(s))), min_dims=1),
        {},
    ),
    "take": (with_shape(taken, min_dims=1, min_side=1), {}),
    "take_along_axis": (with_shape(taken_along, min_dims=1, max_dims=2, min_side=1), {}),
    "tanh": (one(), {}),
    "tile": (
        with_shape(
            lambda s: calls(arrays(s), st.sampled_from([2, 0, (2,), (2, 1), (1, 2, 2)])), max_dims=2
        ),
        {},
    ),
    "transpose": (with_shape(permutations), {}),
    "unstack": (
        with_shape(lambda s: calls(arrays(s), axis=axis(len(s))), min_dims=1, min_side=1),
        {"reference": lambda x, axis: tuple(np.moveaxis(x, axis, 0))},
    ),
    "var": (over_axes(min_side=1), {}),
    "where": (chosen(), {}),
    "zeros_like": (one(), {"order": 0}),
}

# Functions without a Tensor among their arguments; tests/ops/test_creation.py has them.
CREATION = {
    "arange",
    "eye",
    "full",
    "generator",
    "manual_seed",
    "ones",
    "rand",
    "rand_like",
    "randint",
    "randperm",
    "randn",
    "randn_like",
    "zeros",
}


def test_no_op_is_forgotten() -> None:
    assert set(TABLE) | CREATION == set(ops.__all__)


@pytest.mark.parametrize("name", [n for n in TABLE if "own_test" not in TABLE[n][1]])
def test_op(name) -> None:
    strategy, options = TABLE[name]
    check_op(getattr(tg, name), strategy, **{"examples": EXAMPLES, **options})


def test_an_op_takes_numpys_mask() -> None:
    check_op(
        tg.log,
        masked_log,
        reference=lambda x, where: np.log(x, where=where, out=np.zeros_like(x)),
        examples=EXAMPLES,
    )


@pytest.mark.parametrize("name", ["ndim", "shape", "size"])
def test_shapes_of_tensors_are_pythons_numbers(name) -> None:
    x = np.zeros((2, 3))
    assert getattr(tg, name)(tg.tensor(x)) == getattr(tg, name)(x) == getattr(np, name)(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_astype(dtype) -> None:
    x = tg.tensor(np.array([1.5, -2.25]), requires_grad=True)
    y = x.astype(dtype)
    np.testing.assert_array_equal(y.data, x.data.astype(dtype))
    assert y.dtype == dtype
    if y.dtype.kind == "f":
        (y * y).sum().backward()
        assert x.grad.dtype == np.float64
        np.testing.assert_array_equal(x.grad.data, 2 * x.data)


def test_one_hot() -> None:
    rows = tg.one_hot(tg.tensor([[0, 2], [1, 1]]), 3)
    np.testing.assert_array_equal(rows.data, np.eye(3, dtype=np.int64)[[[0, 2], [1, 1]]])
    assert tg.one_hot(tg.tensor(np.zeros(0, int)), 4).shape == (0, 4)
    with pytest.raises(ValueError, match="indices from -1 to 2 for 3 classes"):
        tg.one_hot(tg.tensor([-1, 2]), 3)
    with pytest.raises(TypeError, match="takes integers, not float32"):
        tg.one_hot(tg.tensor([1.0]))


@pytest.mark.parametrize("kth", [0, 2, -1, (1, 3)])
def test_partition_puts_the_kth_in_its_place_and_sends_the_gradient_back(kth) -> None:
    rng = np.random.default_rng(0)
    values = np.stack([rng.permutation(5).astype(float) for _ in range(3)])
    x = tg.tensor(values, requires_grad=True)
    y = np.partition(x, kth, axis=1)
    np.testing.assert_array_equal(y.data[:, kth], np.sort(values)[:, kth])
    np.testing.assert_array_equal(np.sort(y.data), np.sort(values))
    places = tg.argpartition(x, kth, axis=1).data
    np.testing.assert_array_equal(np.take_along_axis(values, places, 1), y.data)
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad.data, 2 * values)


def test_comparisons_of_whole_arrays_are_pythons_bools() -> None:
    x, near = tg.tensor([1.0, np.inf, np.nan]), tg.tensor([1.0 + 1e-7, np.inf, np.nan])
    assert tg.allclose(x, near) is False and np.allclose(x, near, equal_nan=True) is True
    assert tg.array_equal(x[:2], x[:2]) is True and np.array_equal(x[:2], x) is False
    assert tg.isclose(x, near).data.tolist() == [True, True, False]
    learned = tg.ones(2, requires_grad=True)
    assert not tg.isclose(learned, learned).requires_grad and not tg.any(learned).requires_grad


def test_numbers_that_are_none() -> None:
    x = tg.tensor([1.0, np.nan, np.inf, -np.inf], requires_grad=True)
    y = np.nan_to_num(x, nan=3.0)
    np.testing.assert_array_equal(y.data, np.nan_to_num(x.data, nan=3.0))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1, 0, 0, 0])
    assert np.isnan(np.median(x[:2]).item()) and np.isnan(np.median(x[None, :3], axis=1).data[0])
