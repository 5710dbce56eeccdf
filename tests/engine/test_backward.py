"""The backward pass: what it fills, frees, repeats and refuses."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import tinygrad_rnn as tg


def leaf(*values, name=None):
    made = tg.tensor(np.array(values, np.float64), requires_grad=True)
    return made.named(name) if name else made


def test_gradients_add_up_over_passes_and_zero_grad_forgets() -> None:
    x = leaf(2.0)
    (x * x).backward()
    (x * x).backward()
    assert x.grad.tolist() == [8.0]
    x.zero_grad()
    assert x.grad is None


def test_a_tensor_used_many_times_sums_its_gradients() -> None:
    x = leaf(3.0)
    y = x * x
    (y * x + y + x).backward()
    assert x.grad.item() == 3 * 9 + 2 * 3 + 1


def test_a_weight_for_each_element() -> None:
    x = leaf(1.0, 2.0)
    (x * 3).backward([1.0, 10.0])
    assert x.grad.tolist() == [3, 30]
    with pytest.raises(ValueError, match=r"weight for each element.*t\.sum\(\)"):
        (x * 3).backward()
    with pytest.raises(ValueError, match=r"gradient has shape \(3,\).*\(2,\)"):
        (x * 3).backward(np.ones(3))


def test_nothing_recorded_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"nothing was recorded.*requires_grad=True"):
        tg.tensor(1.0).backward()


def test_a_second_backward_needs_retain_graph() -> None:
    x = leaf(2.0)
    with tg.scope("head"):
        y = x * x
    y.backward()
    with pytest.raises(tg.GraphFreedError, match=r"through mul, in head.*retain_graph=True"):
        y.backward()
    z = x * x * x
    z.backward(retain_graph=True)
    z.backward()
    assert x.grad.item() == 4 + 12 + 12


@pytest.mark.parametrize("allow_unused", [False, True])
def test_grad_through_a_freed_graph_says_so(allow_unused) -> None:
    x, apart = tg.tensor([2.0], requires_grad=True), tg.tensor([1.0], requires_grad=True)
    y = tg.tanh(x * x).sum()
    assert tg.grad(y, [apart], allow_unused=True, retain_graph=True) == (None,)
    y.backward()
    with pytest.raises(tg.GraphFreedError, match=r"through sum: .*retain_graph=True"):
        tg.grad(y, x, allow_unused=allow_unused)


def test_a_part_of_a_graph_that_was_freed_is_an_error() -> None:
    x = leaf(2.0)
    shared = x * x
    (shared + 1).backward()
    with pytest.raises(tg.GraphFreedError):
        (shared * 2).backward()


def test_create_graph_makes_gradients_differentiable() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    x.zero_grad()
    first.backward()
    assert first.item() == 12 and x.grad.item() == 12


def test_retain_grad() -> None:
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    z = y * 3
    z.backward()
    assert y.grad.item() == 3 and z.grad is None
    with pytest.raises(RuntimeError, match="requires no gradient"):
        tg.tensor(1.0).retain_grad()


def test_hooks_see_replace_and_are_removed() -> None:
    x, seen = leaf(1.0, 2.0), []
    remove = x.register_hook(lambda grad: seen.append(grad.tolist()))
    remove_double = x.register_hook(lambda grad: grad * 2)
    (x * x).sum().backward()
    assert seen == [[2, 4]] and x.grad.tolist() == [4, 8]
    remove()
    remove_double()
    remove()  # once more does no harm
    (x * x).sum().backward()
    assert seen == [[2, 4]] and x.grad.tolist() == [6, 12]


def test_a_hook_is_given_an_array_where_a_rule_gives_a_scalar_of_numpys() -> None:
    @tg.op
    def scaled(x):
        return 2.0 * x

    @scaled.vjp
    def _(g, out, x):
        return np.float64(2.0) * g.sum()

    x = tg.tensor(3.0, dtype="float64", requires_grad=True)
    seen = []
    x.register_hook(lambda grad: seen.append((type(grad.data), grad.shape)))
    scaled(x).backward()
    assert seen == [(np.ndarray, ())] and x.grad.item() == 2.0


def test_a_hook_on_an_intermediate_changes_what_flows_on() -> None:
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda grad: np.array([0.5]))
    (y * 100).backward()
    assert x.grad.item() == 3.0


def test_a_hook_sees_the_sum_once() -> None:
    x, calls = leaf(1.0), []
    y = x * 2
    y.register_hook(lambda grad: calls.append(grad.item()))
    (y * 3 + y * 4).backward()
    assert calls == [7]


def test_hooks_errors() -> None:
    x = leaf(1.0)
    x.register_hook(lambda grad: np.zeros(3))
    with pytest.raises(ValueError, match=r"hook returned shape \(3,\)"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="never be called"):
        tg.tensor(1.0).register_hook(print)


def test_a_hook_in_a_recorded_backward_pass_is_differentiable() -> None:
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda grad: grad * x)
    (first,) = tg.grad(y, x, create_graph=True)
    assert first.item() == 18  # x * 2x
    assert tg.grad(first, x)[0].item() == 12


def test_grad_of_chosen_inputs_touches_no_leaf() -> None:
    x, w = leaf(2.0), leaf(5.0)
    y = x * w
    dx, dw = tg.grad(y, [x, w])
    assert (dx.item(), dw.item()) == (5, 2) and x.grad is None and w.grad is None


def test_grad_by_an_intermediate() -> None:
    x = leaf(2.0)
    y = x * x
    z = y * 5
    assert tg.grad(z, [y, x], retain_graph=True)[0].item() == 5
    assert tg.grad(z, y)[0].item() == 5


def test_grad_of_several_outputs() -> None:
    x = leaf(1.0, 2.0)
    found = tg.grad([x.sum(), x * 2], x, grad_outputs=[None, np.array([1.0, 10.0])])
    assert found[0].tolist() == [3, 21]
    with pytest.raises(ValueError, match="1 grad_outputs for 2 outputs"):
        tg.grad([x.sum(), x * 2], x, grad_outputs=[None])


def test_unused_inputs() -> None:
    x, unused = leaf(2.0), leaf(3.0)
    y = x * x
    with pytest.raises(ValueError, match="do not depend on input 1"):
        tg.grad(y, [x, unused], retain_graph=True)
    assert tg.grad(y, [x, unused], allow_unused=True)[1] is None
    with pytest.raises(ValueError, match=r"input 0 .* does not require"):
        tg.grad(x * 2, tg.tensor(1.0))


def test_only_what_is_wanted_is_computed() -> None:
    calls = []

    @tg.op
    def spying(x, y):
        return x * y

    def rule_of_y(grad, out, x, y):
        calls.append("y")
        return grad * x

    spying.vjp(x=lambda grad, out, x, y: grad * y, y=rule_of_y)
    x, y = leaf(2.0), leaf(3.0)
    assert tg.grad(spying(x, y), x)[0].item() == 3 and calls == []
    spying(x, y.detach()).backward()
    assert calls == []
    spying(x, y).backward()
    assert calls == ["y"]


def test_value_and_grad() -> None:
    fn = tg.value_and_grad(lambda x, y, scale: (x * y).sum() * scale, argnums=(0, 1))
    value, (dx, dy) = fn(np.array([1.0, 2.0]), np.array([3.0, 4.0]), scale=2.0)
    assert value.item() == 22 and not value.requires_grad
    assert dx.tolist() == [6, 8] and dy.tolist() == [2, 4]
    with tg.no_grad():
        assert tg.value_and_grad(lambda x: x * x)(3.0)[1].item() == 6
    with pytest.raises(TypeError, match=r"argument 0 has no gradient.*int64"):
        tg.value_and_grad(lambda x: x * x)(3)
    with pytest.raises(ValueError, match="weight for each element"):
        tg.value_and_grad(lambda x: x * x)([1.0, 2.0])


def test_jacobian() -> None:
    w = np.arange(6.0).reshape(2, 3)
    rows = tg.jacobian(lambda x: w @ x)(np.ones(3))
    np.testing.assert_array_equal(rows.data, w)
    assert tg.jacobian(lambda x, y: tg.outer(x, y), argnums=1)(np.ones(2), np.ones(3)).shape == (
        2,
        3,
        3,
    )
    assert tg.jacobian(lambda x: tg.zeros(2))(np.ones(3)).tolist() == [[0] * 3] * 2


def test_gradients_to_the_fourth_order() -> None:
    x = leaf(0.7)
    y = tg.sin(x) * tg.exp(x)
    # d^4/dx^4 of e^x sin x is -4 e^x sin x
    for _ in range(4):
        (y,) = tg.grad(y, x, create_graph=True)
    np.testing.assert_allclose(y.item(), -4 * np.exp(0.7) * np.sin(0.7), rtol=1e-13)


def test_fourth_order_through_a_matrix_product() -> None:
    x = leaf(0.5, -0.25)
    w = np.array([[1.0, 2.0], [3.0, -1.0]])
    y = tg.tanh(w @ x).sum()
    for _ in range(3):
        (g,) = tg.grad(y, x, create_graph=True)
        y = (g * np.array([1.0, 1.0])).sum()
    (fourth,) = tg.grad(y, x)
    z = w @ x.data
    t = np.tanh(z)
    s = 1 - t * t
    fourth_of_tanh = s * (16 * t - 24 * t**3)  # tanh'''' = 8 t s (3 s - 1) = s (16 t - 24 t^3)
    np.testing.assert_allclose(fourth.data, (fourth_of_tanh * w.sum(1) ** 3) @ w, rtol=1e-12)


def test_no_grad_and_enable_grad() -> None:
    x = leaf(1.0)
    with tg.no_grad():
        assert not (x * 2).requires_grad and not tg.is_grad_enabled()
        with tg.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad

    @tg.no_grad()
    def frozen():
        return x * 2

    assert not frozen().requires_grad and (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert tg.is_grad_enabled()


def test_grad_mode_is_each_threads_own() -> None:
    x, seen = leaf(1.0), {}
    inside, done = threading.Event(), threading.Event()

    def other():
        with tg.no_grad():
            inside.set()
            done.wait(5)
            seen["other"] = (x * 2).requires_grad

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(5)
    seen["main"] = (x * 2).requires_grad
    done.set()
    thread.join()
    assert seen == {"main": True, "other": False}


def test_backward_in_many_threads() -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(size=(8, 8)) * 0.3
    inputs = [rng.normal(size=8) for _ in range(8)]

    def gradient(a):
        x = tg.tensor(a, requires_grad=True)
        h = x
        for _ in range(20):
            h = tg.tanh(w @ h) + x
        h.sum().backward()
        return x.grad.data.copy()

    expected = [gradient(a) for a in inputs]
    found: list = [None] * 8

    def work(i):
        for _ in range(5):
            found[i] = gradient(inputs[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_bits_on_every_run() -> None:
    def run():
        rng = np.random.default_rng(1)
        x = tg.tensor(rng.normal(size=(5, 7)).astype(np.float32), requires_grad=True)
        parts = [tg.tanh(x * float(k)) for k in range(1, 12)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part * x
        tg.sum(total @ total.T).backward()
        return x.grad.data.tobytes()

    assert len({run() for _ in range(5)}) == 1


def test_leaf_gradients_own_their_memory() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    weights = np.ones(2)
    (x + y).backward(weights)
    assert not np.shares_memory(x.grad.data, y.grad.data)
    assert not np.shares_memory(x.grad.data, weights)


def test_broadcast_gradients_are_summed() -> None:
    x, y = leaf(1.0, 2.0), tg.tensor(np.ones((3, 1)), requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.tolist() == [3, 3] and y.grad.tolist() == [[3]] * 3


def test_split_with_some_outputs_unused() -> None:
    x = leaf(1.0, 2.0, 3.0)
    a, _, c = tg.split(x, 3)
    (a * c).sum().backward()
    assert x.grad.tolist() == [3, 0, 1]


def test_in_place_operators_off_the_graph() -> None:
    t = tg.tensor([1.0, 2.0])
    array = t.data
    t += 1
    t *= 2
    t -= np.float32(1)
    t /= 3
    assert t.data is array and t.tolist() == [1, pytest.approx(5 / 3)]
    t **= 2
    t //= 1
    t %= 2
    assert t.tolist() == [1, 0]
    t[0] = 7
    assert t.tolist() == [7, 0]


def test_in_place_on_a_recorded_tensor_makes_a_new_one() -> None:
    x = leaf(2.0)
    y = h = x * 3
    h += x
    assert h is not y and y.item() == 6
    h.backward()
    assert x.grad.item() == 4


def test_in_place_on_a_leaf_is_refused() -> None:
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match=r"with tg\.no_grad\(\)"):
        x += 1
    with pytest.raises(RuntimeError, match=r"index_update"):
        x[0] = 1
    with tg.no_grad():
        x += 1
        x[0] = x[0] * 2
    assert x.item() == 4 and x.requires_grad
    frozen = tg.zeros(1, dtype=np.float64)
    with pytest.raises(RuntimeError, match="index_update"):
        frozen[0] = x


def test_a_hook_cannot_write_into_a_gradient_whose_elements_are_one_number() -> None:
    x = tg.tensor(np.ones(4), requires_grad=True)
    y = x * 1.0

    def write(grad):
        grad.data[0] = 5.0

    y.register_hook(write)
    with pytest.raises(ValueError, match="read-only"):
        y.sum().backward()


def test_an_output_that_a_recorded_rule_reads_gets_all_of_its_gradient() -> None:
    """Of an op of several outputs, whose rule has a node of its own for each output."""

    @tg.op
    def exp_and_itself(x):
        return np.exp(x), x * 1.0

    exp_and_itself.vjp(lambda grad, out, x: grad[0] * out[0] + grad[1])
    x = tg.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    first, second = exp_and_itself(x)
    (slope,) = tg.grad((first**2 + second).sum(), [x], create_graph=True)  # 2 exp(2 x) + 1
    (curvature,) = tg.grad(slope.sum(), [x], create_graph=True)
    (third,) = tg.grad(curvature.sum(), [x])
    np.testing.assert_allclose(curvature.data, 4 * np.exp(2 * x.data))
    np.testing.assert_allclose(third.data, 8 * np.exp(2 * x.data))
