"""A changed value that a pending gradient needs is an error that names it, never a wrong gradient.

And no false alarm where nothing that is needed was changed.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import StaleValueError


def weight(*values):
    return tg.tensor(np.array(values), requires_grad=True).named("weight")


def constant(*values):
    return tg.from_numpy(np.array(values))


def set_data(t, array):
    t.data[...] = 7.0


def add_in_place(t, array):
    with tg.no_grad():
        t += 1


def assign(t, array):
    with tg.no_grad():
        t[0] = 9.0


def step_like_an_optimiser(t, array):
    with tg.no_grad():
        t -= 0.1 * tg.ones(*t.shape, dtype=t.dtype)


def replace_the_array(t, array):
    t.data = np.array([5.0, 6.0])


CHANGES = [set_data, add_in_place, assign, step_like_an_optimiser]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("read_data_before", [True, False])
def test_a_changed_input_is_noticed(change, read_data_before) -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    if read_data_before:
        _ = w.data
    with tg.scope("layer0", step=3):
        y = w * x
    change(w, None)
    with pytest.raises(StaleValueError) as caught:
        y.sum().backward()
    message = str(caught.value)
    assert message.startswith("mul: its input 'x' ('weight', float64[2])")
    assert "in layer0, step 3" in message and "t = t + u" in message


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_constant_is_noticed(change) -> None:
    c, x = constant(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = c * x
    change(c, None)
    with pytest.raises(StaleValueError, match="mul: its input 'x'"):
        y.sum().backward()


def test_a_changed_output_is_noticed() -> None:
    x = tg.tensor([0.5, 1.0], requires_grad=True)
    y = tg.tanh(x)
    z = y.sum()
    y.data[0] = 0.0
    with pytest.raises(StaleValueError, match="tanh: its output"):
        z.backward()


def test_a_changed_detached_twin_is_noticed() -> None:
    x = tg.tensor([0.5, 1.0], requires_grad=True)
    y = tg.exp(x)
    twin = y.detach()
    twin += 1
    with pytest.raises(StaleValueError, match=r"exp: its output.*add in place"):
        y.sum().backward()


def test_the_original_ndarray_is_noticed() -> None:
    array = np.array([1.0, 2.0])
    x = tg.from_numpy(array).requires_grad_()
    y = x * x
    array[0] = 10
    with pytest.raises(StaleValueError, match="a write from outside"):
        y.sum().backward()


def test_an_ndarray_constant_is_noticed() -> None:
    array, x = np.array([1.0, 2.0]), tg.tensor([3.0, 4.0], requires_grad=True)
    for y in (x * array, array * x, tg.where(array > 0, x, 0) * array):
        saved = array.copy()
        array[0] = 10
        with pytest.raises(StaleValueError):
            y.sum().backward()
        array[...] = saved


def test_an_index_array_is_noticed() -> None:
    index, x = np.array([0, 1]), tg.tensor([3.0, 4.0], requires_grad=True)
    y = x[index]
    index[0] = 1
    with pytest.raises(StaleValueError):
        y.sum().backward()


def test_a_view_of_the_original_is_noticed() -> None:
    array = np.arange(6.0).reshape(2, 3)
    x = tg.tensor(np.ones(3), requires_grad=True)
    y = x * tg.from_numpy(array[1])
    array[1, 2] = -1
    with pytest.raises(StaleValueError):
        y.sum().backward()


def test_a_write_through_a_view_of_a_tensor_is_noticed() -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = w * x
    view = w.detach()[1:]
    view += 1
    with pytest.raises(StaleValueError):
        y.sum().backward()


def test_a_replaced_array_is_used_as_recorded_or_refused() -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = (w * x).sum()
    replace_the_array(w, None)
    y.backward()
    assert x.grad.tolist() == [1, 2]  # the values that the forward pass saw
    z = (w * x * x).sum()
    w.data = np.array([8.0, 9.0])
    with pytest.raises(StaleValueError, match="replaced"):
        z.backward(create_graph=True)


def test_a_recorded_backward_pass_is_guarded_too() -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = (w * x * x).sum()
    add_in_place(w, None)
    with pytest.raises(StaleValueError):
        y.backward(create_graph=True)


def test_a_change_between_first_and_second_backward_is_noticed() -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = (w * x).sum()
    y.backward(retain_graph=True)
    add_in_place(w, None)
    with pytest.raises(StaleValueError):
        y.backward()


# No false alarms


@pytest.mark.parametrize("change", CHANGES)
def test_values_that_no_gradient_reads_may_change(change) -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = (w + x) - w
    change(w, None)
    y.sum().backward()
    assert x.grad.tolist() == [1, 1] and w.grad.tolist() == [0, 0]


def test_an_input_is_free_where_only_the_others_gradient_reads_it() -> None:
    w, x = tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0], requires_grad=True)
    y = x * w  # the gradient of x reads w, not x
    with tg.no_grad():
        x += 1
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]


@pytest.mark.parametrize("change", CHANGES)
def test_after_backward_anything_may_change(change) -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    for _ in range(3):
        y = w * x
        y.sum().backward()
        change(w, None)
    assert w.grad.tolist() == [9, 12]


def test_a_change_before_the_forward_pass_is_no_change() -> None:
    w, x = weight(1.0, 2.0), weight(3.0, 4.0)
    for change in CHANGES:
        change(w, None)
    (w * x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, w.data)


def test_reading_data_is_no_change() -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = w * x
    _ = w.data.sum() + x.data.sum() + y.data.sum()
    assert float(w.detach().numpy()[0]) == 1
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]


def test_a_change_that_is_undone_is_harmless() -> None:
    w, x = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True)
    y = w * x
    w.data[0] = 5
    w.data[0] = 1
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]


def test_another_tensors_change_is_no_alarm() -> None:
    w, x, other = weight(1.0, 2.0), tg.tensor([3.0, 4.0], requires_grad=True), weight(5.0, 6.0)
    y = w * x
    for change in CHANGES:
        change(other, None)
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]


def test_shapes_of_changed_values_may_be_read() -> None:
    x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    y = tg.reshape(tg.sum(x, axis=0), (2, 1))
    with tg.no_grad():
        x *= 3
    y.sum().backward()
    assert x.grad.tolist() == [[1, 1]]


def test_a_training_loop_raises_no_alarm() -> None:
    rng = np.random.default_rng(0)
    w = tg.tensor(rng.normal(size=(3, 1)) * 0.1, requires_grad=True)
    b = tg.zeros(1, dtype=np.float64, requires_grad=True)
    inputs = rng.normal(size=(64, 3))
    targets = inputs @ np.array([[1.0], [-2.0], [0.5]]) + 0.3
    batch = np.empty((16, 3))
    velocity = [np.zeros(p.shape) for p in (w, b)]
    for i in range(300):
        rows = slice(16 * (i % 4), 16 * (i % 4) + 16)
        batch[...] = inputs[rows]  # the same buffer again and again
        loss = tg.mean((batch @ w + b - targets[rows]) ** 2)
        loss.backward()
        for p, v in zip((w, b), velocity, strict=True):
            v *= 0.5
            v += p.grad.data
            p.data[...] -= 0.05 * v
            p.zero_grad()
    np.testing.assert_allclose(w.data[:, 0], [1, -2, 0.5], atol=1e-3)
