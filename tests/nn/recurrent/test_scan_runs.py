"""Scans one after another, at once, and changed in between: what one run owes to the others."""

from __future__ import annotations

import copy
import gc
import threading
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.nn.recurrent.nest import leaves

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


# Several runs that wait for each other


@pytest.mark.parametrize("kind", KINDS)
def test_several_forwards_before_the_backwards_in_any_order(kind) -> None:
    layer = make(kind, num_layers=2)
    inputs = [tg.tensor(X * k, requires_grad=True) for k in (1.0, -2.0, 0.5)]
    outputs = [layer(x)[0] for x in inputs]
    for k in (1, 2, 0):
        (outputs[k] ** 2).sum().backward()
    for x in inputs:
        assert_close([x.grad.data], gradients(unrolled(layer), x.data)[:1])


def test_the_same_layer_twice_in_one_graph() -> None:
    layer = make(nn.GRU)

    def through(layer):
        x = tg.tensor(X, requires_grad=True)
        first, h = layer(x)
        second, _ = layer(x * first[..., :I], h)
        loss = (first * second).sum()
        return [g.data for g in tg.grad(loss, [x, *layer.parameters()])]

    assert_close(through(layer), through(unrolled(layer)))


def test_results_that_are_kept_are_never_written_again() -> None:
    layer = make(num_layers=2)
    kept, copies = [], []
    for k in range(8):
        x = tg.tensor(X + k, requires_grad=True)
        outputs, (h, c) = layer(x)
        grads = tg.grad((outputs * outputs).sum() + c.sum(), [x, outputs, *layer.parameters()])
        with tg.no_grad():
            plain, _ = layer(X - k)
        kept += [outputs, h, c, plain, *grads]
        copies += [t.data.copy() for t in (outputs, h, c, plain, *grads)]
    for tensor, before in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(tensor.data, before)


def test_a_result_may_be_written_into() -> None:
    layer = make()
    x = tg.tensor(X, requires_grad=True)
    expected = gradients(layer)
    outputs, (h, c) = layer(x)
    loss = (outputs**2).sum()
    grads = tg.grad(loss, [x, *layer.parameters()], retain_graph=True)
    for tensor in (h, c, *grads):
        tensor.data[...] = np.nan
    assert_close([g.data for g in tg.grad(loss, [x, *layer.parameters()])], expected)


def test_backward_twice() -> None:
    layer = make()
    x = tg.tensor(X, requires_grad=True)
    outputs, (_, c) = layer(x)
    once = tg.grad(c.sum(), [x], retain_graph=True)[0]
    both = tg.grad([outputs, c], [x], [tg.ones_like(outputs), tg.ones_like(c)], retain_graph=True)
    again = tg.grad(c.sum(), [x])[0]
    np.testing.assert_array_equal(once.data, again.data)
    assert not np.allclose(once.data, both[0].data)
    with pytest.raises(tg.GraphFreedError, match="second time"):
        outputs.sum().backward()


def test_a_step_backward_with_other_runs_in_its_midst() -> None:
    """A hook that runs the layer while its gradient is under way."""
    layer = make()
    expected = gradients(layer)
    x = tg.tensor(X, requires_grad=True)
    y = x * 1.0
    y.register_hook(lambda grad: (gradients(layer, -3.0 * X), grad)[1])
    (layer(y)[0] ** 2).sum().backward()
    assert_close([x.grad.data], expected[:1])


# Orders beyond the first, hooks, anomalies


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_gradients(kind) -> None:
    layer = make(kind)
    lengths = [T, 2, 0]

    def penalty(layer):
        x = tg.tensor(X, requires_grad=True)
        outputs, final = layer(x, lengths=lengths)
        loss = (outputs**2).sum() + (leaves(final)[-1] ** 2).sum()
        (slope,) = tg.grad(loss, [x], create_graph=True)
        (slope**2).sum().backward()
        found = [x.grad.data, *(p.grad.data for p in layer.parameters())]
        layer.zero_grad()
        return found

    assert_close(penalty(layer), penalty(unrolled(layer)))


class Noisy(nn.RNNCell):
    def forward(self, x, h):
        return super().forward(nn.functional.dropout(x, 0.5, self.training), h)


def test_gradients_of_gradients_use_the_random_numbers_that_were_drawn() -> None:
    layer = nn.Recurrent(Noisy(I, H)).astype("float64")

    def penalty(layer):
        tg.manual_seed(3)
        x = tg.tensor(X, requires_grad=True)
        loss = (layer(x)[0] ** 2).sum()
        (slope,) = tg.grad(loss, [x], create_graph=True)
        (curvature,) = tg.grad((slope**2).sum(), [x])
        return [slope.detach().data, curvature.data, tg.rand(2).data]

    assert_close(penalty(layer), penalty(unrolled(layer)))


def test_hooks_on_parameters_and_inputs() -> None:
    layer = make(nn.GRU)
    seen = []
    handle = layer.weight_hh_l0.register_hook(lambda grad: seen.append(grad.shape) or grad * 2)
    found = gradients(layer)
    handle()
    expected = gradients(layer)
    assert seen == [(3 * H, H)]
    np.testing.assert_array_equal(found[2], 2 * expected[2])


def test_an_anomaly_is_found_at_its_step() -> None:
    layer = nn.Recurrent(cell_of(lambda self, x, h: h + tg.sqrt(x[:, :1])))
    x = np.abs(X)
    x[3, 1, 0] = -1.0
    with np.errstate(invalid="ignore"):
        with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match=r"sqrt.*step 3"):
            layer(x)
        assert np.isnan(layer(x)[0].data[3:, 1]).all()


# What changes between calls


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
    cell = layer._cells["l0"]
    gradients(layer)
    layer.load_state_dict({n: a * 2 for n, a in layer.state_dict().items()})
    assert_close(gradients(layer), gradients(unrolled(layer)))
    layer.weight_hh_l0.data[...] *= 0.5
    assert_close(gradients(layer), gradients(unrolled(layer)))
    cell.weight_hh = nn.Parameter(np.eye(H))
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
        self.u = nn.Parameter(np.eye(hidden_size)[::-1])
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
    lambda cell: setattr(cell, "u", nn.Parameter(np.ones((H, H)))),
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
            outputs, final = layer(x, np.ones((1, B, H)))
        grads = tg.grad((outputs**2).sum(), [x], allow_unused=True)
        arrays = [outputs.detach(), final.detach(), *(g for g in grads if g is not None)]
        found.append([*(a.data for a in arrays), tg.rand(2).data])
    assert_close(*found)


@pytest.mark.parametrize("step", [looks, branches, reads_elements])
def test_falling_back_is_said_once_with_the_line(step) -> None:
    layer = nn.Recurrent(cell_of(step))
    with pytest.warns(UserWarning, match=r"Odd runs step by step.*test_scan_runs\.py:\d+") as told:
        layer(X)
        layer(X)
    assert len(told) == 1
    line = step.__code__.co_firstlineno
    number = int(str(told[0].message).split("test_scan_runs.py:")[1].split()[0].rstrip(".,"))
    assert line < number < line + 5


def test_numbers_drawn_by_hand_are_named_as_the_reason() -> None:
    with pytest.warns(UserWarning, match=r"Odd.*test_scan_runs\.py:\d+.*tg\.rand_like"):
        nn.Recurrent(cell_of(draws_by_hand))(X)


# The guard against values that change


def test_a_parameter_changed_before_backward_is_refused() -> None:
    for change in (
        lambda p: tg.optim.SGD([p], lr=0.1).step(),
        lambda p: p.data.__setitem__(0, 7.0),
        lambda p: p.data.__iadd__(1.0),
    ):
        layer = make()
        weight = layer.weight_hh_l0
        weight.grad = tg.ones_like(weight)
        loss = (layer(X)[0] ** 2).sum()
        change(weight)
        with pytest.raises(tg.StaleValueError, match=r"scan: .*'weight_hh_l0'.*in LSTM"):
            loss.backward()


def test_an_input_changed_before_backward_is_refused() -> None:
    layer = make()
    array = np.array(X)
    x = tg.tensor(array, requires_grad=True) * 1.0
    loss = layer(x)[0].sum()
    x.data[0] = 3.0
    with pytest.raises(tg.StaleValueError, match="scan"):
        loss.backward()


# Memory


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def tracked():
    """A state whose array can be watched: a run keeps it for as long as it keeps anything."""
    state = tg.tensor(np.zeros((1, B, H)), requires_grad=True)
    return state, weakref.ref(state)


def test_a_run_is_let_go_with_its_outputs(no_collector) -> None:
    layer = make(nn.GRU)
    for use in (
        lambda outputs: None,
        lambda outputs: outputs.sum().backward(),
        lambda outputs: outputs.sum().backward(retain_graph=True),
    ):
        state, alive = tracked()
        outputs, final = layer(X, state)
        use(outputs)
        del state
        assert alive() is not None or outputs.inputs is None
        del outputs, final
        assert alive() is None


def test_a_second_gradient_leaves_no_cycle(no_collector) -> None:
    layer = make(nn.GRU)
    state, alive = tracked()
    outputs, final = layer(X, state)
    (slope,) = tg.grad((outputs**2).sum(), [state], create_graph=True)
    (slope**2).sum().backward()
    layer.zero_grad()
    del state, outputs, final, slope
    assert alive() is None


def test_a_cell_is_let_go_with_its_plan(no_collector) -> None:
    layer = make()
    gradients(layer)
    cell = weakref.ref(layer._cells["l0"])
    del layer
    assert cell() is None


def test_memory_is_used_again_and_bounded() -> None:
    x = np.ones((50, 8, I), "float32")

    def held(runs: int, at_once: int) -> int:
        """The memory that a new layer still has after some runs, so many at the same time."""
        layer = nn.GRU(I, 32)
        tracemalloc.start()
        for _ in range(runs):
            outputs = [layer(x)[0] for _ in range(at_once)]
            for one in outputs:
                one.sum().backward()
        del outputs, one
        now, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return now

    one = held(1, 1)
    assert held(5, 1) < 1.1 * one
    assert held(2, 12) < 5 * one


# Threads


@pytest.mark.parametrize("fresh", [True, False])
def test_threads_share_a_layer(fresh) -> None:
    layer = make(num_layers=2)
    inputs = [X * k for k in range(1, 5)]
    expected = [gradients(unrolled(layer), x) for x in inputs]
    if not fresh:
        gradients(layer)
    wrong = []

    def work(x, right) -> None:
        try:
            for _ in range(12):
                assert_close(gradients(layer, x), right)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(inputs, expected)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
