"""Cells that change between calls, that read tensors from elsewhere, or that cannot be traced."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

T, B, I, H = 6, 3, 2, 4
RNG = np.random.default_rng(0)
X = RNG.standard_normal((T, B, I))
KINDS = [nn.RNN, nn.LSTM, nn.GRU]


def make(kind=nn.LSTM, **options) -> nn.Recurrent:
    return kind(I, H, **options).astype("float64")


def gradients(layer, x=X, **options) -> list[np.ndarray]:
    """Of the sum of squared outputs: for x, then for the parameters."""
    x = tg.tensor(x, requires_grad=True)
    loss = (layer(x)[0] ** 2).sum()
    return [g.data for g in tg.grad(loss, [x, *layer.parameters()], **options)]


def unrolled(layer) -> nn.Recurrent:
    other = copy.deepcopy(layer)
    other.unroll = True
    return other


def assert_close(found, expected) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


class Noisy(nn.RNNCell):
    def forward(self, x, h):
        return super().forward(nn.functional.dropout(x, 0.5, self.training), h)


# What changes between calls


CONSTANTS = {
    "in the loop": lambda x, h, array, places: x + h * array,
    "folded": lambda x, h, array, places: x + 2.0 * (h * array),
    "before the loop": lambda x, h, array, places: x * array + h,
    "a part": lambda x, h, array, places: x + h * array[:1] + h @ np.diag(array),
    "places": lambda x, h, array, places: x + h[:, places],
    "an attribute": lambda x, h, array, places: x + weighed(h, weights=array),
}


@tg.op
def weighed(x, *, weights):
    return x * weights


weighed.vjp(lambda grad, out, x, weights: grad * weights)


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize("executor", ["numpy", "llvm"])
def test_an_array_of_someone_elses_that_is_changed_in_place_is_seen(name, executor) -> None:
    array, places = np.linspace(0.1, 1.0, H), np.array([0, 2, 1, 3])

    class Cell(nn.Cell):
        hidden_size = H

        def forward(self, x, h):
            return tg.tanh(CONSTANTS[name](x, h, array, places))

    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    tg.set_executor(executor)
    try:
        layer = nn.Recurrent(Cell())
        reference = unrolled(layer)
        x = RNG.standard_normal((T, B, H))
        for _ in range(2):
            assert_close(gradients(layer, x), gradients(reference, x))
            array += 1.0
            places[:] = places[::-1].copy()
    finally:
        tg.set_executor("numpy")


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimisers_steps_are_seen(kind) -> None:
    layer = make(kind)
    reference = unrolled(layer)
    optimisers = [tg.optim.SGD(one.parameters(), lr=0.1) for one in (layer, reference)]
    for k in range(4):
        for one, optimiser in zip((layer, reference), optimisers, strict=True):
            optimiser.zero_grad()
            (one(X * k)[0] ** 2).sum().backward()
            optimiser.step()
    assert_close(layer.state_dict().values(), reference.state_dict().values())


def test_a_parameter_may_get_other_values_another_dtype_or_be_replaced() -> None:
    layer = make(nn.RNN)
    cell = layer.cells[0]
    gradients(layer)
    layer.load_state_dict({n: a * 2 for n, a in layer.state_dict().items()})
    assert_close(gradients(layer), gradients(unrolled(layer)))
    layer.weight_hh_l0.data[...] *= 0.5
    assert_close(gradients(layer), gradients(unrolled(layer)))
    cell.weight_hh = nn.Parameter(np.eye(H), "float64")
    found = gradients(layer)
    assert_close(found, gradients(unrolled(layer)))
    layer.astype("float32")
    assert {g.dtype for g in gradients(layer, X.astype("float32"))} == {np.dtype("float32")}
    layer.astype("float64").requires_grad_(False)
    assert not layer(X)[0].requires_grad
    layer.weight_ih_l0.requires_grad = True
    (grad,) = tg.grad((layer(X)[0] ** 2).sum(), [layer.weight_ih_l0])
    layer.requires_grad_(True)
    assert_close([grad.data], gradients(layer)[1:2])


class Settable(nn.Cell):
    """What a step does hangs on attributes of every kind."""

    def __init__(self, hidden_size: int = H) -> None:
        self.hidden_size = hidden_size
        self.u = nn.Parameter(np.eye(hidden_size)[::-1], "float64")
        self.gain = 1.0
        self.shifts = [0.0, 0.5]
        self.options = {"name": "tanh", "power": (1, 2)}
        self.mask = np.ones(hidden_size)
        self.fn = lambda h: h
        self.fixed = tg.tensor(np.ones(hidden_size))

    def forward(self, x, h):
        z = self.fn(h @ self.u * self.gain + x[:, :1] + sum(self.shifts)) * self.mask
        return getattr(tg, self.options["name"])(z) * self.fixed ** self.options["power"][1]


def change_list(cell):
    cell.shifts[0] = 0.3


def change_dict(cell):
    cell.options["power"] = (1, 3)


def change_array(cell):
    cell.mask[0] = 0.25


def change_twice(cell):
    for gain in (2.0, 3.0, 4.0):
        cell.fn = lambda h, gain=gain: gain * h
        nn.Recurrent(cell)(X)


CHANGES = [
    lambda cell: setattr(cell, "gain", 0.5),
    lambda cell: setattr(cell, "gain", -0.0),
    lambda cell: setattr(cell, "shifts", [1.0, 2.0]),
    change_list,
    lambda cell: setattr(cell, "options", {"name": "sin", "power": (1, 2)}),
    change_dict,
    lambda cell: setattr(cell, "mask", np.arange(H) * 1.0),
    change_array,
    lambda cell: setattr(cell, "fn", lambda h: 2.0 * h),
    change_twice,
    lambda cell: setattr(cell, "fixed", tg.tensor(np.arange(H) * 1.0)),
    lambda cell: setattr(cell, "u", nn.Parameter(np.ones((H, H)), "float64")),
]


@pytest.mark.parametrize("change", CHANGES)
def test_an_attribute_that_changes_makes_another_plan(change) -> None:
    cell = Settable()
    layer = nn.Recurrent(cell)
    layer.astype("float64")
    for step in (lambda cell: None, change, lambda cell: None):
        step(cell)
        assert_close(gradients(layer), gradients(unrolled(layer)))


def test_tuples_made_anew_are_told_apart_by_what_they_hold() -> None:
    cell = Settable()
    layer = nn.Recurrent(cell)
    for k in range(40):  # memory of the tuples before is used again
        cell.options = {"name": "tanh", "power": (0, k % 3 + 1)}
        cell.fn = lambda h, k=k % 5: h * k
        assert_close([layer(X)[0].data], [unrolled(layer)(X)[0].data])


def test_a_submodule_that_is_taken_away_is_missed() -> None:
    class Optional(nn.RNNCell):
        def forward(self, x, h):
            return super().forward(x if self.extra is None else self.extra(x), h)

    cell = Optional(I, H)
    cell.extra = nn.Linear(I, I)
    layer = nn.Recurrent(cell).astype("float64")
    gradients(layer)
    cell.extra = None  # and nothing else holds what was there
    assert_close(gradients(layer), gradients(unrolled(layer)))


def test_training_and_evaluation() -> None:
    layer = nn.Recurrent(Noisy(I, H))
    x = X.astype("float32")
    tg.manual_seed(1)
    first = layer(x)[0].data
    assert not np.array_equal(layer(x)[0].data, first)
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].data, layer(x)[0].data)
    layer.train()
    tg.manual_seed(1)
    np.testing.assert_array_equal(layer(x)[0].data, first)


def test_a_copied_layer_is_another_layer() -> None:
    layer = make()
    expected = gradients(layer)
    other = copy.deepcopy(layer)
    other.load_state_dict({n: a * 0 for n, a in layer.state_dict().items()})
    assert not gradients(other)[0].any()
    assert_close(gradients(layer), expected)


# Tensors from outside the cell


def test_a_tensor_from_outside_the_cell_gets_its_gradient() -> None:
    context = tg.tensor(np.linspace(0, 1, H), requires_grad=True)
    scaled = context * 2.0

    class Reader(nn.Cell):
        hidden_size = H

        def forward(self, x, h):
            return tg.tanh(h + x[:, :1] * context + scaled)

    layer = nn.Recurrent(Reader())
    found = []
    for layer.unroll in (True, False):
        grads = tg.grad((layer(X)[0] ** 2).sum(), [context], retain_graph=True)
        found.append(grads[0].data)
    np.testing.assert_allclose(*found, rtol=1e-12)
    with tg.no_grad():
        assert not layer(X)[0].requires_grad
    np.testing.assert_allclose(tg.grad((layer(X)[0] ** 2).sum(), [context])[0].data, found[0])


def test_a_tensor_made_anew_for_each_call() -> None:
    class Reader(nn.Cell):
        hidden_size = H

        def forward(self, x, h):
            return tg.tanh(h + x[:, :1] * self.context)

    layer = nn.Recurrent(cell := Reader())
    v = tg.tensor(np.linspace(0.5, 1, H), requires_grad=True)
    for k in range(6):
        cell.context = v * float(k)
        (layer(X)[0] ** 2).sum().backward()
        found, v.grad = v.grad, None
        layer.unroll, cell.context = True, v * float(k)
        (layer(X)[0] ** 2).sum().backward()
        np.testing.assert_allclose(found.data, v.grad.data, rtol=1e-11)
        layer.unroll, v.grad = False, None


# Cells that cannot be traced


def cell_of(step, **attributes):
    kind = type("Odd", (nn.Cell,), {"hidden_size": H, "forward": step, **attributes})
    return kind()


def looks(self, x, h):
    return tg.tanh(h + x[:, :1]) if float(h.sum()) > 0 else h + 0.5


def branches(self, x, h):
    if (h > 0).sum() > 0:
        return tg.tanh(h + x[:, :1])
    return h + 0.5


def draws_by_hand(self, x, h):
    return h + tg.randn(*h.shape, dtype="float64") + 0 * x[:, :1]


def draws_then_looks(self, x, h):
    h = nn.functional.dropout(h + 1.0, 0.5) + x[:, :1]
    return h if h.sum().item() > 0 else h - 1.0


def reads_elements(self, x, h):
    return tg.tanh(h + x[:, :1] * float(x.data.max()))


def detached(self, x, h):
    return tg.tanh(h + x[:, :1] + 0.5 * h.detach())


def inner_gradient(self, x, h):
    z = tg.tensor(np.ones((B, H)), requires_grad=True)
    (slope,) = tg.grad((z * h).sum(), [z])
    return tg.tanh(slope + x[:, :1])


def counts_its_steps(self, x, h):
    self.step_number = getattr(self, "step_number", 0) + 1
    return tg.tanh(h + x[:, :1]) * self.step_number


def keeps_what_it_saw(self, x, h):
    self.last = tg.tanh(h + x[:, :1])
    return self.last * 0.5


ODD = [looks, branches, draws_by_hand, draws_then_looks, reads_elements, detached, inner_gradient]


@pytest.mark.parametrize("step", [*ODD, counts_its_steps, keeps_what_it_saw])
def test_a_cell_that_cannot_be_traced_gives_the_right_numbers(step) -> None:
    found = []
    for unroll in (True, False):
        layer = nn.Recurrent(cell_of(step), unroll=unroll)
        tg.manual_seed(4)
        x = tg.tensor(X, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs, [final] = layer(x, [np.ones((B, H))])
        grads = tg.grad((outputs**2).sum(), [x], allow_unused=True)
        arrays = [outputs.detach(), final.detach(), *(g for g in grads if g is not None)]
        found.append([*(a.data for a in arrays), tg.rand(2).data])
    assert_close(*found)


@pytest.mark.parametrize("step", [looks, branches, reads_elements])
def test_falling_back_is_said_once_with_the_line(step) -> None:
    layer = nn.Recurrent(cell_of(step))
    notice = r"Odd runs step by step.*test_changes\.py:\d+"
    with pytest.warns(UserWarning, match=notice) as told:
        layer(X)
        layer(X)
    assert len(told) == 1
    line = step.__code__.co_firstlineno
    number = int(str(told[0].message).split("test_changes.py:")[1].split()[0].rstrip(".,"))
    assert line < number < line + 5


def test_a_cell_that_cannot_be_traced_takes_each_step_once() -> None:
    calls = []

    def counted(self, x, h):
        calls.append(None)
        return branches(self, x, h)

    layer = nn.Recurrent(cell_of(counted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer(X)
        assert len(calls) == T
        layer(X)
    assert len(calls) == 2 * T


def test_numbers_drawn_by_hand_are_named_as_the_reason() -> None:
    with pytest.warns(UserWarning, match=r"Odd.*test_changes\.py:\d+.*tg\.rand_like"):
        nn.Recurrent(cell_of(draws_by_hand))(X)
