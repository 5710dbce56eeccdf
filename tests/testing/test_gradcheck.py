"""gradcheck: it finds planted faults, names their place, and raises no false alarm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.testing import GradientError, gradcheck, gradgradcheck
from tinygrad_rnn.testing.gradients.gradcheck import gradient_report
from tinygrad_rnn.testing.gradients.program import Program

T, H = 40, 3
_rng = np.random.default_rng(0)
XS, U, W = _rng.normal(size=(T, 2)), _rng.normal(size=(2, H)), 0.45 * _rng.normal(size=(H, H))


def rnn(xs, u, w, cut_at=None, cut=None):
    h = tg.zeros(H, dtype=np.float64)
    for t in range(len(xs)):
        with tg.scope("rnn", step=t):
            h = tg.tanh(xs[t] @ u + h @ w).named("state")
            if t == cut_at:
                h = cut(h)
    return h


def zero_gradient(h):
    h.register_hook(lambda grad: grad * 0)
    return h


def not_recorded(h):
    with tg.no_grad():
        return h * 1.0


CUTS = [zero_gradient, tg.Tensor.detach, not_recorded]


def an_op(rule, value=lambda x: x * x * x):
    made = tg.op(lambda x: value(x))
    made.name = "planted"
    made.vjp(rule)
    return made


POINT = np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]])


# What is wrong is found


def test_the_gradient_at_the_first_step_is_far_below_any_absolute_tolerance() -> None:
    x = tg.tensor(XS, requires_grad=True)
    rnn(x, U, W).sum().backward()
    assert 0 < np.abs(x.grad.data[0]).max() < 1e-13


@pytest.mark.parametrize(("cut", "step"), [(CUTS[0], 0), (CUTS[1], 20), (CUTS[2], 5)])
def test_bptt_cut_at_one_step_is_caught_element_by_element(cut, step) -> None:
    with pytest.raises(GradientError) as caught:
        gradcheck(lambda xs: rnn(xs, U, W, step, cut), [XS])
    report = caught.value.report
    steps = {d.index[0] for d in report.disagreements}
    assert steps == set(range(step + 1))
    assert all(d.found == 0 and d.true != 0 for d in report.disagreements)
    # detach() and no_grad() show in the op that reads the cut state, one step later
    assert f"step {step}" in report.first_wrong or f"step {step + 1}" in report.first_wrong


@pytest.mark.parametrize("step", range(T - 1))
def test_bptt_cut_at_any_step_is_caught_in_one_evaluation(step) -> None:
    program = Program(lambda *args: rnn(*args, step, zero_gradient), [XS, U, W])
    assert not gradient_report(program, 1e-9, one_evaluation=True).ok


@pytest.mark.parametrize("step", [7, 30])
def test_one_evaluation_still_finds_the_step(step) -> None:
    with pytest.raises(GradientError, match=rf"of tanh \(state\) \[rnn, step {step},"):
        gradcheck(lambda *args: rnn(*args, step, zero_gradient), [XS, U, W], one_evaluation=True)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("sign", lambda grad, out, x: -grad * 3 * x * x),
        ("factor", lambda grad, out, x: grad * 3 * x * x * (1 + 1e-7)),
        ("offset", lambda grad, out, x: grad * 3 * x * x + 1e-8),
        ("zero", lambda grad, out, x: grad * 0),
        ("reads out for x", lambda grad, out, x: grad * 3 * out * out),
        ("reversed", lambda grad, out, x: np.flip(grad * 3 * x * x, -1)),
        ("nan", lambda grad, out, x: grad * np.nan),
        ("one element", lambda grad, out, x: grad * 3 * x * np.where(np.equal(x, 2.0), 0, x)),
        ("summed", lambda grad, out, x: np.sum(grad * 3 * x * x, -1, keepdims=True)),
    ],
)
@pytest.mark.parametrize("one_evaluation", [False, True])
def test_a_wrong_rule_is_caught_and_named(fault, rule, one_evaluation) -> None:
    with pytest.raises(GradientError, match=r"gradient of planted .* input 'x'"):
        gradcheck(lambda x: tg.sin(an_op(rule)(x)), [POINT], one_evaluation=one_evaluation)


def test_an_error_in_one_element_of_many_small_ones_is_caught_in_one_evaluation() -> None:
    scales = 10.0 ** -np.arange(60)

    @tg.op
    def scaled(x):
        return x * scales

    scaled.vjp(lambda grad, out, x: grad * scales * (1 + 1e-5 * (scales < 1e-58)))
    with pytest.raises(GradientError):
        gradcheck(scaled, [np.ones(60)], one_evaluation=True)


def test_a_wrong_second_derivative_is_caught_though_the_first_is_right() -> None:
    @tg.op
    def frozen(x):
        return np.array(x)

    frozen.vjp(lambda grad, out, x: grad * 0)
    cube = an_op(lambda grad, out, x: grad * 3 * x * frozen(x))
    gradcheck(cube, [POINT])
    with pytest.raises(GradientError):
        gradgradcheck(cube, [POINT])


def test_a_wrong_gradient_of_a_parameter_is_caught_by_its_name() -> None:
    weight = tg.tensor(POINT, requires_grad=True).named("weight_ih")
    with pytest.raises(GradientError, match=r"weight_ih\[0, 0\]: gradient 0, true derivative"):
        gradcheck(lambda x: x @ weight.detach(), [np.ones(2)], [weight])


def test_the_report_holds_both_numbers() -> None:
    with pytest.raises(GradientError) as caught:
        gradcheck(an_op(lambda grad, out, x: grad * 6 * x * x), [np.array([2.0])])
    (wrong,) = caught.value.report.disagreements
    assert wrong.input == "input 0" and wrong.index == (0,)
    assert wrong.found == pytest.approx(2 * wrong.true)
    assert "factor of 2" in str(caught.value)


def test_the_users_own_line_is_named() -> None:
    with pytest.raises(GradientError, match=r"test_gradcheck\.py:\d+"):
        gradcheck(lambda x: an_op(lambda grad, out, x: -grad)(x), [POINT])


# What is right passes


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: tg.sum(tg.softmax(x)),  # the gradient is 0, by cancellation
        lambda x: tg.softmax(x * 30),
        lambda x: tg.log_softmax(x * 30),
        lambda x: x - x,
        lambda x: (x * 3 - x * 2 - x) * 1e10,
        lambda x: tg.tanh(x * 12),  # 1 - tanh^2 loses most of its digits
        lambda x: tg.tanh(x * 40),
        lambda x: tg.sigmoid(x * 30),
        lambda x: tg.silu(x * 1e-9),
        lambda x: tg.gelu(x * 5),  # 1 + tanh loses most of its digits
        lambda x: tg.exp(x * 200),
        lambda x: tg.log1p(x * x * 1e-20) ** 2,
        lambda x: tg.var(x + 1e6),
        lambda x: tg.where(x > 0, x, 0) * tg.sign(x),
        lambda x: x**3,
        lambda x: tg.pow(tg.exp(x), x),
        lambda x: (x > 0) * x + tg.argmax(x),
        lambda x: tg.split(x, 3, axis=1),
        lambda x: {"a": x * x, "b": [tg.sum(x), (x[0],)]},
    ],
)
def test_no_false_alarm(fn) -> None:
    assert gradcheck(fn, [POINT]).checked == POINT.size
    gradcheck(fn, [POINT], one_evaluation=True)
    gradgradcheck(fn, [POINT])


def test_a_right_recurrent_network_passes_to_a_few_ulp() -> None:
    report = gradcheck(rnn, [XS, U, W], rtol=1e-12)
    assert report.ok and report.checked == XS.size + U.size + W.size
    gradcheck(rnn, [XS, U, W], rtol=1e-12, one_evaluation=True)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e100])
def test_extreme_magnitudes(scale) -> None:
    gradcheck(lambda x: x / (x + scale), [np.array([scale, 3 * scale])])
    with pytest.raises(GradientError):
        gradcheck(lambda x: an_op(lambda g, out, x: g * 1.0000001 / x, np.log)(x), [scale])


# What is not analytic


def test_a_nonanalytic_op_is_recognised_and_differenced() -> None:
    report = gradcheck(lambda x: tg.abs(x) * tg.tanh(x), [POINT])
    assert report.checked == POINT.size and "inside abs" in report.method
    twice = an_op(lambda grad, out, x: grad * 2 * np.abs(x), lambda x: x * np.abs(x))
    assert "inside planted" in gradcheck(twice, [POINT]).method
    with pytest.raises(GradientError):
        gradcheck(an_op(lambda grad, out, x: grad, np.abs), [POINT])


def test_a_tiny_gradient_through_a_nonanalytic_op_is_held_to_its_own_size() -> None:
    gradcheck(lambda x: tg.abs(x) * 1e-40, [POINT])
    wrong = an_op(lambda grad, out, x: grad * np.sign(x) * (1 + 1e-7), np.abs)
    with pytest.raises(GradientError):
        gradcheck(lambda x: wrong(x) * 1e-40, [POINT])


@pytest.mark.parametrize(
    "fn", [tg.relu, tg.abs, lambda x: tg.maximum(x, 0), lambda x: tg.norm(x[:1])]
)
def test_a_kink_is_excluded_and_said(fn) -> None:
    with tg.scope("here"):
        report = gradcheck(lambda x: fn(x), [np.array([0.0, 1.0, -2.0])])
    assert report.excluded == ["input 0[0]"] and report.checked == 2
    assert any(note.startswith("kink: ") and "[here]" in note for note in report.notes)


def test_equal_largest_elements_are_a_kink() -> None:
    assert len(gradcheck(tg.max, [np.array([1.0, 3.0, 3.0])]).excluded) == 2


def test_smooth_zero_derivatives_are_no_kinks() -> None:
    for fn in (tg.square, lambda x: x**3, tg.cos, lambda x: x * x * tg.sign(x + 1)):
        assert gradcheck(fn, [np.array([0.0, 1.0])]).excluded == []


def test_differences_where_numpy_refuses_complex_numbers() -> None:
    report = gradcheck(lambda x: tg.remainder(x, 0.7) * x, [POINT])
    assert "extended precision" in report.method and "no complex step" in str(report)
    with pytest.raises(GradientError):
        gradcheck(lambda x: tg.remainder(x, 0.7) * x.detach(), [POINT])
    assert gradcheck(lambda x: tg.remainder(x, 1.0), [np.array([0.5, 2.0])]).excluded


# What cannot be checked


def test_what_cannot_be_checked_is_an_error() -> None:
    with pytest.raises(ValueError, match="no element has a derivative"):
        gradcheck(tg.abs, [np.zeros(2)])
    with pytest.raises(ValueError, match="not finite"), np.errstate(divide="ignore"):
        gradcheck(tg.log, [np.zeros(2)])
    with pytest.raises(ValueError, match="differs between two runs"):
        gradcheck(lambda x: x * tg.rand(3), [POINT])
    with pytest.raises(ValueError, match="nothing to check"):
        gradcheck(lambda x: x, [np.arange(3)])
    with pytest.raises(TypeError, match="no floating-point Tensor"):
        gradcheck(lambda x: x > 0, [POINT])


def test_seeded_randomness_can_be_checked() -> None:
    def dropped(x):
        tg.manual_seed(0)
        return x * (tg.rand_like(x) > 0.5) * tg.rand_like(x)

    assert gradcheck(dropped, [POINT]).ok


def test_inputs_that_are_no_numbers_pass_through() -> None:
    def pick(x, index, mode):
        assert mode == "sum"
        return x[index].sum()

    assert gradcheck(pick, [POINT, np.array([0, 0]), "sum"]).checked == POINT.size


def test_empty_and_0d_inputs() -> None:
    assert gradcheck(tg.tanh, [np.zeros((0, 3))]).checked == 0
    assert gradcheck(tg.tanh, [0.5]).checked == 1


def test_parameters_have_their_values_back() -> None:
    weight = tg.tensor(POINT, requires_grad=True)
    array = weight.data
    gradcheck(lambda x: x * weight, [POINT], [weight])
    with pytest.raises(GradientError):
        gradcheck(lambda x: x * weight.detach(), [POINT], [weight])
    assert weight.data is array and weight.dtype == np.float64 and weight.grad is None


# Values that leave the graph

DROPPED = {
    "abs, max": lambda x: x * np.abs(x.data).max(),
    "max": lambda x: x / x.data.real.max(),
    "norm": lambda x: x / np.linalg.norm(x.data),
    "sort": lambda x: x * np.sort(np.abs(x.data)),
    "float": lambda x: x * float(np.abs(x.data).sum()),
    "item": lambda x: x * abs(x.sum().item()),
    "tolist": lambda x: x * max(map(abs, x.tolist())),
    "real": lambda x: x * x.data.real,
    "detach, numpy": lambda x: x + np.sqrt(np.abs(x.detach().numpy())),
    "asarray": lambda x: x * np.abs(np.asarray(x.detach())).mean(),
    "hypot": lambda x: x * np.hypot(x.data.real, x.data.imag),
    "where": lambda x: x * np.where(np.abs(x.data) > 1, np.abs(x.data), 1.0),
    "a constant": lambda x: tg.sum(x) * 0.0 + tg.tensor(np.abs(x.data).max()),
    "deep inside": lambda x: tg.tanh(tg.sigmoid(x * np.abs(x.data)[::-1]) @ tg.ones(3, dtype="f8")),
}


@pytest.mark.parametrize("fn", DROPPED.values(), ids=DROPPED.keys())
@pytest.mark.parametrize("one_evaluation", [False, True])
def test_values_that_leave_the_graph_are_found(fn, one_evaluation) -> None:
    with pytest.raises(GradientError):
        gradcheck(fn, [np.array([0.3, -1.7, 0.9])], one_evaluation=one_evaluation)


KEPT = {
    "a mask": lambda x: x * (np.abs(x.data) > 1),
    "rounded": lambda x: x * np.round(np.abs(x.data)),
    "sign": lambda x: x * np.sign(x.data.real),
    "an index": lambda x: x[int(np.argmax(np.abs(x.data)))] ** 2,
    "an order": lambda x: tg.take(x, np.argsort(np.abs(x.data)), axis=0) * tg.tensor([1.0, 2, 3]),
    "a shift": lambda x: tg.log(tg.sum(tg.exp(x - abs(x.data).max()))) + abs(x.data).max(),
}


@pytest.mark.parametrize("fn", KEPT.values(), ids=KEPT.keys())
def test_constants_that_are_read_off_values_are_no_fault(fn) -> None:
    assert gradcheck(fn, [np.array([0.3, -1.7, 0.9])]).ok


@settings(max_examples=settings().max_examples // 2)
@given(
    st.sampled_from([tg.tanh, tg.exp, tg.sin, tg.abs, tg.relu, tg.square, tg.softmax, tg.cumsum]),
    st.sampled_from(list(DROPPED.values())),
    st.lists(st.floats(0.1, 3) | st.floats(-3, -0.1), min_size=3, max_size=3, unique_by=abs),
)
def test_a_dropped_part_is_found_behind_any_op(op, fn, values) -> None:
    x = np.array(values)
    options = {"axis": -1} if op in (tg.softmax, tg.cumsum) else {}
    assert gradcheck(lambda x: op(x, **options), [x]).ok

    def both(x):
        return op(x, **options) + fn(x)

    with pytest.raises(GradientError):
        gradcheck(both, [x])
