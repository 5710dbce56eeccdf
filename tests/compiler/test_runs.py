"""Scans one after another, at once, and changed in between: what one run owes to the others."""

from __future__ import annotations

import copy
import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree

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


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_gradients_share_no_memory(kind, executor) -> None:
    """Not with each other, though both biases have the same one, nor with what was given."""
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    layer = make(kind, executor=executor)
    for steps, batch in ((1, 1), (1, B), (T, 1), (T, B)):
        x = tg.tensor(X[:steps, :batch], requires_grad=True)
        weights = tg.tensor(RNG.standard_normal((steps, batch, H)))
        leaves = [x, *layer.parameters()]
        before = weights.data.copy()

        def run(x=x, weights=weights, leaves=leaves) -> list[np.ndarray]:
            layer.zero_grad()
            x.zero_grad()
            layer(x)[0].backward(weights)
            return [leaf.grad.data for leaf in leaves]

        found = run()
        expected = [grad.copy() for grad in found]
        assert_close(run(), expected)
        assert_close(found, expected)  # the second run has not written into them
        for k, grad in enumerate(found):
            grad[...] = np.nan
            assert_close(found[k + 1 :], expected[k + 1 :])
        assert_close(run(), expected)
        np.testing.assert_array_equal(weights.data, before)


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
        loss = (outputs**2).sum() + (pytree.leaves(final)[-1] ** 2).sum()
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


class Rooted(nn.Cell):
    hidden_size = H

    def forward(self, x, h):
        return h + tg.sqrt(x[:, :1])


def test_an_anomaly_is_found_at_its_step() -> None:
    layer = nn.Recurrent(Rooted())
    x = np.abs(X)
    x[3, 1, 0] = -1.0
    with np.errstate(invalid="ignore"):
        with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match=r"sqrt.*step 3"):
            layer(x)
        assert np.isnan(layer(x)[0].data[3:, 1]).all()


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
    cell = weakref.ref(layer.cells[0])
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
    limit = tg.get_workspace_limit()
    tg.set_workspace_limit(4 * one)
    try:
        assert held(2, 12) < 5 * one
    finally:
        tg.set_workspace_limit(limit)


@pytest.mark.parametrize("batch", [8, 64])  # of one chunk and of several
def test_memory_of_a_result_serves_others_once_nothing_looks_at_it(batch) -> None:
    layer, x = nn.GRU(I, 64, executor="numpy"), np.ones((50, batch, I), "float32")
    outputs = layer(x)[0].data
    row, known = outputs[1, 2].T, outputs.copy()
    address = outputs.ctypes.data
    del outputs  # the row is a view of it
    others = [layer(2 * x)[0].data for _ in range(3)]
    assert (row == known[1, 2]).all()
    assert all(other.ctypes.data != address for other in others)
    del row
    assert layer(x)[0].data.ctypes.data == address


def test_a_change_of_a_result_is_noticed() -> None:
    outputs, _ = nn.GRU(I, 64)(np.ones((50, 8, I), "float32"))
    squares = tg.square(outputs)
    outputs.data[0] = 1
    with pytest.raises(tg.StaleValueError):
        squares.sum().backward()


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


def test_idle_workspaces_of_many_shapes_stay_within_one_limit() -> None:
    from tinygrad_rnn.compiler.memory.pool import workspaces

    limit = tg.get_workspace_limit()
    tg.set_workspace_limit(3 << 20)
    try:
        layers = [nn.LSTM(4, 16), nn.GRU(4, 16)]
        for batch in range(1, 17):
            for layer in layers:
                layer(tg.ones(40, batch, 4))[0].sum().backward()
        assert 0 < workspaces.nbytes <= 3 << 20
        used = workspaces.nbytes
        tg.set_workspace_limit(used // 2)
        assert workspaces.nbytes <= used // 2
        tg.set_workspace_limit(0)
        layers[0](tg.ones(40, 2, 4))[0].sum().backward()
        assert workspaces.nbytes == 0
        with pytest.raises(ValueError, match="at least 0 bytes"):
            tg.set_workspace_limit(-1)
    finally:
        tg.set_workspace_limit(limit)


def test_a_layer_that_is_gone_keeps_no_workspace() -> None:
    from tinygrad_rnn.compiler.memory.pool import workspaces

    before = workspaces.nbytes
    layer = nn.LSTM(4, 64)
    layer(tg.ones(40, 8, 4))[0].sum().backward()
    assert workspaces.nbytes > before
    del layer
    gc.collect()
    assert workspaces.nbytes <= before
