"""Every trait that an op declares is true of it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.engine.primitives.primitive import Primitive, selection, traits_of
from tinygrad_rnn.engine.primitives.traits import Section

MODULES = {
    name.rpartition(".")[2]: import_module(name)
    for _, name, _ in walk_packages(ops.__path__, "tinygrad_rnn.ops.")
}
OPS = {
    op.name: op
    for module in MODULES.values()
    for op in vars(module).values()
    if isinstance(op, Primitive)
}

# An application of each op whose traits say more than elementwise: its inputs and attributes.
x, y = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
square = x[..., :4]
KERNEL = {"kernel": (2,), "stride": (1,), "dilation": (1,)}
EXAMPLES: dict[str, tuple[tuple[object, ...], dict[str, object]]] = {
    "where": ((x > 0, x, y), {}),
    "astype": ((x,), {"dtype": np.float64}),
    "reshape": ((x,), {"shape": (5, -1)}),
    "transpose": ((x,), {"axes": (-1, -3, -2)}),
    "expand_dims": ((x,), {"axis": -2}),
    "squeeze": ((x[:, :1],), {"axis": -2}),
    "broadcast_to": ((x[:, :1],), {"shape": (3, 4, 5)}),
    "flip": ((x,), {"axis": -2}),
    "concatenate": ((x, y), {"axis": -2}),
    "stack": ((x, y), {"axis": -2}),
    "split": ((x,), {"places": (1, 3), "axis": -2}),
    "unstack": ((x,), {"axis": -2}),
    "pad": ((x,), {"widths": ((0, 0), (1, 2), (3, 0))}),
    "matmul": ((square, x), {}),
    "einsum": ((x, y), {"subscripts": "abc,adc->bda"}),
    "getitem": ((x,), {"template": (..., slice(1, 3), slice(None))}),
    "put": ((x[:, 1:3],), {"template": (slice(None), slice(1, 3)), "shape": x.shape}),
    "one_hot": ((np.array([0, 2, 1]),), {"num_classes": 3}),
    "index_update": (
        (x, y[:, 1:3]),
        {"template": (slice(None), slice(1, 3)), "add": False},
    ),
    **{
        name: ((x,), {"axis": -2, "keepdims": False})
        for name in ("sum", "mean", "max", "min", "logsumexp", "norm")
    },
    **{name: ((x,), {"axis": -2}) for name in ("softmax", "log_softmax", "cumsum", "argsort")},
    "argpartition": ((x,), {"kth": 1, "axis": -2}),
    "unfold": ((x,), KERNEL),
    "fold": ((np.cos(np.arange(96.0)).reshape(3, 8, 4),), {"sizes": (5,), **KERNEL}),
    **{name: ((np.tanh(np.abs(x)),), {}) for name in ("arcsin", "arccos", "arctanh")},
    "arccosh": ((1 + np.abs(x),), {}),
}


def example(op):
    if op.name in EXAMPLES:
        return EXAMPLES[op.name]
    return (np.abs(x), np.abs(y), np.abs(x - y))[: len(op.input_names)], {}


def value(op, inputs, attributes):
    """The value, several outputs one after the other in one array."""
    result = op.value(*inputs, **attributes)
    return np.concatenate([r.ravel() for r in result]) if isinstance(result, tuple) else result


def declaring(trait):
    found = [op for op in OPS.values() if getattr(op.traits, trait) not in (False, None, ())]
    assert found
    return pytest.mark.parametrize("op", found, ids=lambda op: op.name)


def combined(op, names, weight):
    """The op of weight * inputs + others in the inputs of these names; and of both apart."""
    inputs, attributes = example(op)
    others = [np.flip(i) if isinstance(i, np.ndarray) else i for i in inputs]
    at = [k for k in range(len(inputs)) if op.input_name(k) in names]

    def put(new):
        return value(op, [new[k] if k in at else i for k, i in enumerate(inputs)], attributes)

    together = put(
        [weight * a + b if k in at else a for k, (a, b) in enumerate(zip(inputs, others))]
    )
    return together, weight * put(inputs) + put(others)


@declaring("linear")
def test_linear(op) -> None:
    if op.traits.linear:
        np.testing.assert_allclose(*combined(op, op.traits.linear, 0.7), atol=1e-12)


@declaring("multilinear")
def test_multilinear(op) -> None:
    inputs, attributes = example(op)
    for position in range(len(inputs)):
        if op.input_name(position) in op.traits.multilinear:
            assert op.linear_in(position)
            moved = [0.7 * i if k == position else i for k, i in enumerate(inputs)]
            expected = 0.7 * value(op, inputs, attributes)
            np.testing.assert_allclose(value(op, moved, attributes), expected)


@declaring("commutative")
def test_commutative(op) -> None:
    np.testing.assert_array_equal(op.value(x, y), op.value(y, x))


@declaring("associative")
def test_associative(op) -> None:
    z = np.flip(x)
    np.testing.assert_allclose(op.value(op.value(x, y), z), op.value(x, op.value(y, z)))


@declaring("identity")
def test_identity(op) -> None:
    np.testing.assert_array_equal(op.value(x, op.traits.identity), x)
    if op.traits.commutative:
        np.testing.assert_array_equal(op.value(op.traits.identity, x), x)


@declaring("view")
def test_view(op) -> None:
    (given,), attributes = example(op)
    result = op.value(given, **attributes)
    for part in result if isinstance(result, tuple) else (result,):
        assert np.shares_memory(part, given)


def test_no_other_op_returns_a_view() -> None:
    for op in OPS.values():
        inputs, attributes = example(op)
        if len(inputs) == 1 and not op.traits.view:
            result = op.value(*inputs, **attributes)
            assert not np.shares_memory(result, inputs[0]), op.name


@declaring("leading_axes")
def test_leading_axes(op) -> None:
    inputs, attributes = example(op)
    both = [np.stack([i, np.flip(i)]) for i in inputs]
    expected = [value(op, [b[k] for b in both], attributes) for k in (0, 1)]
    result = op.lifted(2, (True,), *both, **attributes)
    if isinstance(result, tuple):
        result = [np.concatenate([part[k].ravel() for part in result]) for k in (0, 1)]
    np.testing.assert_allclose(result, expected)


@declaring("places")
def test_places(op) -> None:
    inputs, attributes = example(op)
    expected = op.value(*inputs, **attributes)
    result = np.full_like(expected, np.nan)
    for part, given in zip(op.traits.places(result, *inputs, **attributes), inputs, strict=True):
        part[...] = given
    np.testing.assert_array_equal(result, expected)


@declaring("section")
def test_section(op) -> None:
    (given,), attributes = example(op)
    result = op.value(given, **attributes)
    for output, part in enumerate(result) if isinstance(result, tuple) else [(None, result)]:
        axis, start, stop = op.traits.section(given.shape, output, **attributes)
        index = (..., slice(start, stop), *[slice(None)] * (-axis - 1))
        np.testing.assert_array_equal(given[index], part)


@pytest.mark.parametrize("index", list(np.ndindex(4, 4)))
def test_section_of_split_at_any_places(index) -> None:
    attributes = {"places": index, "axis": -2}
    for output, part in enumerate(OPS["split"].value(x, **attributes)):
        axis, start, stop = OPS["split"].traits.section(x.shape, output, **attributes)
        assert axis == -2 and stop - start == part.shape[1]
        np.testing.assert_array_equal(x[:, start:stop], part)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ((slice(1, 2),), Section(-3, 1, 2)),
        ((..., slice(-2, None)), Section(-1, 3, 5)),
        ((slice(None), slice(3, 1)), Section(-2, 3, 3)),
        ((slice(None), slice(None, None, 2)), None),
        ((slice(1), slice(1)), None),
        ((..., 1), None),
        ((None, slice(1)), None),
        ((...,), None),
    ],
)
def test_section_of_a_slice(template, expected) -> None:
    assert OPS["getitem"].traits.section(x.shape, None, template=template) == expected


@declaring("permutation")
def test_permutation(op) -> None:
    (given,), attributes = example(op)
    order = op.traits.permutation(**attributes)
    np.testing.assert_array_equal(op.value(given, **attributes), np.transpose(given, order))


@declaring("contraction")
def test_contraction(op) -> None:
    inputs, attributes = example(op)
    subscripts = op.traits.contraction(*map(np.ndim, inputs), **attributes)
    np.testing.assert_allclose(np.einsum(subscripts, *inputs), op.value(*inputs, **attributes))


@pytest.mark.parametrize("left", [(4,), (3, 4), (2, 3, 4), (5, 1, 3, 4)])
@pytest.mark.parametrize("right", [(4,), (4, 6), (2, 4, 6), (2, 4, 6)])
def test_contraction_of_every_form_of_matmul(left, right) -> None:
    a, b = np.random.default_rng(1).normal(size=left), np.random.default_rng(2).normal(size=right)
    subscripts = tg.matmul.traits.contraction(a.ndim, b.ndim)
    np.testing.assert_allclose(np.einsum(subscripts, a, b), a @ b)


def test_a_numpy_function_has_the_traits_of_the_op_that_answers_for_it() -> None:
    assert traits_of(np.add) is tg.add.traits is traits_of(tg.add)
    assert traits_of(np.matmul).contraction is not None
    assert traits_of(np.hypot).elementwise and not traits_of(np.hypot).linear
    assert not traits_of(np.sort).elementwise and not traits_of(print).elementwise
    assert not traits_of(np.modf).elementwise  # two outputs


def test_a_selection_is_told_by_its_index_alone() -> None:
    first, second = tg.split(tg.zeros(4, requires_grad=True), 2)
    assert (first.output_index, second.output_index) == (0, 1)
    assert first.op is selection(0) and first.attributes == {}
    assert (first + second).output_index is None and tg.zeros(2).output_index is None


def test_a_trait_of_an_input_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match=r"op double has no input 'y'; it has x"):

        @tg.op(linear="x y")
        def double(x):
            return 2 * x


def differentiated(op):
    """Applications of an op to leaves and arrays, and its gradients."""
    inputs, attributes = example(op)
    leaves = [
        tg.tensor(i, requires_grad=True) if getattr(i, "dtype", None) == np.float64 else i
        for i in inputs
    ]
    return leaves, op(*leaves, **attributes)


def gradients(leaves, out, before_backward):
    outputs = out if isinstance(out, tuple) else (out,)
    loss = sum((np.cos(np.arange(o.size).reshape(o.shape)) * o).sum() for o in outputs)
    before_backward()
    loss.backward()
    return [leaf.grad.data for leaf in leaves if isinstance(leaf, tg.Tensor)]


def overwritten(tensor):
    if tensor._data.flags.writeable:
        with tg.no_grad():
            tensor.detach()[...] = 0.3


@pytest.mark.parametrize(
    "op", [op for op in OPS.values() if op.traits.differentiable], ids=lambda op: op.name
)
def test_no_change_of_an_input_or_output_makes_a_gradient_wrong(op) -> None:
    expected = gradients(*differentiated(op), lambda: None)
    count = len(example(op)[0])
    for changed in range(-1, count):
        leaves, out = differentiated(op)
        target = out if changed == -1 else leaves[changed]
        targets = target if isinstance(target, tuple) else (target,)
        if not isinstance(targets[0], tg.Tensor):
            continue
        try:
            found = gradients(leaves, out, lambda t=targets: [overwritten(each) for each in t])
        except tg.StaleValueError as error:
            role = "its output" if changed == -1 else f"its input {op.input_name(changed)!r}"
            assert role in str(error)
        else:
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)
