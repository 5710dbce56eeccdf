"""The loop that optimisers share: groups, gradients, state, and what is refused."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim

ALL = {
    "plain": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, **kw}),
    "momentum": lambda params, **kw: optim.SGD(params, momentum=0.9, dampening=0.5, **kw),
    "nesterov": lambda params, **kw: optim.SGD(params, momentum=0.9, nesterov=True, **kw),
    "rmsprop": lambda params, **kw: optim.RMSprop(params, momentum=0.9, centered=True, **kw),
    "adam": lambda params, **kw: optim.Adam(params, amsgrad=True, weight_decay=0.1, **kw),
    "adamw": lambda params, **kw: optim.AdamW(params, **kw),
}
every = pytest.mark.parametrize("make", ALL.values(), ids=ALL)


def parameter(*values: float, dtype: str = "float32") -> tg.Tensor:
    return tg.tensor(list(values), dtype=dtype, requires_grad=True)


def with_gradient(*values: float, dtype: str = "float32") -> tg.Tensor:
    p = parameter(*values, dtype=dtype)
    (p * p).sum().backward()
    return p


def descend(optimiser, params, steps: int) -> None:
    for _ in range(steps):
        optimiser.zero_grad()
        sum((p * p).sum() for p in params).backward()
        optimiser.step()


@every
def test_every_optimiser_descends(make) -> None:
    params = [parameter(3.0, -2.0), tg.tensor(1.5, requires_grad=True)]
    descend(make(params, lr=0.05), params, 150)
    assert all(np.abs(p.data).max() < 1.0 for p in params)


@every
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_stays_even_with_numpy_settings(make, dtype) -> None:
    scalar = tg.tensor(np.asarray(2.0, dtype=dtype), requires_grad=True)
    params = [parameter(3.0, -2.0, dtype=dtype), scalar]
    optimiser = make(params, lr=np.float64(0.01))
    descend(optimiser, params, 3)
    assert type(optimiser.param_groups[0]["lr"]) is float
    arrays = [p.data for p in params]
    for state in optimiser.state.values():
        arrays += [value for name, value in state.items() if name != "step"]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@every
def test_the_array_is_updated_in_place_and_keeps_its_layout(make) -> None:
    p = tg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    array, view = p.data, p.data[1]
    descend(make([p]), [p], 2)
    assert p.data is array
    assert (view != [3.0, 4.0, 5.0]).all()


@every
def test_empty_parameters_are_no_trouble(make) -> None:
    p = tg.zeros((0, 3), requires_grad=True)
    (p * p).sum().backward()
    make([p]).step()
    assert p.shape == (0, 3)


@every
def test_a_parameter_without_gradient_is_left_alone(make) -> None:
    used, unused = with_gradient(1.0, 2.0), parameter(5.0)
    optimiser = make([used, unused])
    optimiser.step()
    assert unused.data.tolist() == [5.0]
    assert used.data.tolist() != [1.0, 2.0]
    assert set(optimiser.state) == {0}


@every
def test_a_step_that_is_late_for_one_parameter_is_its_first(make) -> None:
    early, late = parameter(1.0), parameter(1.0)
    optimiser = make([early, late])
    descend(optimiser, [early], 1)
    first_move = early.data.copy()
    optimiser.zero_grad()
    (late * late).sum().backward()
    optimiser.step()
    np.testing.assert_array_equal(late.data, first_move)


def test_zero_grad_forgets() -> None:
    p = with_gradient(1.0)
    optim.SGD([p]).zero_grad()
    assert p.grad is None


def test_step_returns_what_the_closure_returns_and_records_in_it() -> None:
    p = parameter(3.0)
    optimiser = optim.SGD([p], lr=0.5)

    def closure() -> tg.Tensor:
        optimiser.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert optimiser.step(closure).item() == 9.0
    assert p.data.tolist() == [0.0]
    assert optimiser.step() is None


def test_a_recorded_gradient_can_be_used() -> None:
    p = parameter(3.0)
    (p * p * p).sum().backward(create_graph=True)
    optim.SGD([p], lr=0.1).step()
    np.testing.assert_allclose(p.data, [0.3], rtol=1e-6)
    assert p.is_leaf and p.requires_grad


@every
def test_a_step_between_forward_and_backward_is_an_error(make) -> None:
    p = with_gradient(1.0, 2.0).named("weight")
    loss = (p * p).sum()
    make([p]).step()
    with pytest.raises(tg.StaleValueError, match="weight"):
        loss.backward()


def test_maximize_climbs() -> None:
    p = with_gradient(1.0)
    optim.SGD([p], lr=0.5, maximize=True).step()
    assert p.data.tolist() == [2.0]


def test_a_learning_rate_changed_by_hand_counts() -> None:
    p = with_gradient(1.0)
    optimiser = optim.SGD([p], lr=0.5)
    optimiser.param_groups[0]["lr"] = 0.25
    optimiser.step()
    assert p.data.tolist() == [0.5]


def test_momentum_can_be_switched_on_later() -> None:
    p = parameter(1.0, dtype="float64")
    optimiser = optim.SGD([p], lr=0.1)
    descend(optimiser, [p], 1)
    optimiser.param_groups[0]["momentum"] = 0.5
    descend(optimiser, [p], 2)
    # x = 0.8; v = 1.6, x = 0.64; v = 0.8 + 1.28, x = 0.432
    np.testing.assert_allclose(p.data, [0.432])


def test_centered_rmsprop_survives_a_constant_gradient() -> None:
    p = parameter(*np.linspace(0.1, 0.9, 50))
    optimiser = optim.RMSprop([p], lr=1e-4, alpha=0.5, centered=True)
    for _ in range(100):
        p.grad = np.linspace(0.1, 0.9, 50, dtype=np.float32)
        optimiser.step()
    assert np.isfinite(p.data).all()


# Nothing is half done


def wrong_shape(p) -> None:
    p._grad = tg.tensor([[1.0, 2.0]])  # the setter of `grad` would refuse it


def wrong_dtype(p) -> None:
    p.grad = np.array([1.0, 2.0])


def read_only(p) -> None:
    p.data.flags.writeable = False


@every
@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (wrong_shape, ValueError, r"parameter 1 \('bias'\) has shape \(2,\).*\(1, 2\)"),
        (wrong_dtype, TypeError, r"parameter 1 \('bias'\) has dtype float32.*float64.*astype"),
        (read_only, ValueError, r"parameter 1 \('bias'\) is read-only"),
    ],
)
def test_a_wrong_gradient_changes_nothing(make, spoil, error, words) -> None:
    params = [with_gradient(1.0, 2.0), with_gradient(3.0, 4.0).named("bias")]
    optimiser = make(params)
    spoil(params[1])
    with pytest.raises(error, match=words):
        optimiser.step()
    assert [p.data.tolist() for p in params] == [[1.0, 2.0], [3.0, 4.0]]
    assert optimiser.state == {}


@every
def test_an_infinite_gradient_spoils_only_its_own_element(make) -> None:
    params = [with_gradient(1.0, 2.0), with_gradient(3.0, 4.0), with_gradient(5.0, 6.0)]
    params[1].grad = np.array([np.inf, 1.0], dtype=np.float32)
    optimiser = make(params)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        optimiser.step()
    assert not np.isfinite(params[1].data[0])
    others = [params[0].data[0], params[1].data[1], params[2].data[0]]
    assert np.isfinite(others).all()
    assert others[0] != 1.0 and others[1] != 4.0 and others[2] != 5.0


# State


@every
def test_loaded_state_continues_bit_for_bit(make) -> None:
    start = [[3.0, -2.0], [0.5]]
    params = [parameter(*values) for values in start]
    optimiser = make([{"params": params[:1]}, {"params": params[1:], "lr": 0.02}])
    descend(optimiser, params, 5)
    saved = optimiser.state_dict()
    copies = [tg.tensor(p.data, requires_grad=True) for p in params]
    descend(optimiser, params, 5)

    other = ALL["adamw" if make is not ALL["adamw"] else "plain"]
    restored = type(optimiser)([{"params": copies[:1]}, {"params": copies[1:]}])
    with pytest.raises(ValueError, match="load_state_dict"):
        other(copies).load_state_dict(saved)
    restored.load_state_dict(saved)
    descend(restored, copies, 5)
    for p, copy in zip(params, copies, strict=True):
        assert p.data.tobytes() == copy.data.tobytes()


@every
def test_state_is_arrays_and_plain_values_and_survives_json(make) -> None:
    params = [parameter(3.0, -2.0), parameter(1.0)]
    optimiser = make(params)
    optimiser.param_groups[0]["lr"] = np.float64(0.02)
    descend(optimiser, params, 2)
    saved = optimiser.state_dict()

    def as_json(value):
        assert type(value) is np.ndarray, type(value)
        return {"array": value.tolist()}

    def from_json(value):
        return np.array(value["array"], dtype=np.float32) if "array" in value else value

    text = json.dumps(saved, default=as_json, allow_nan=False)
    optimiser.load_state_dict(json.loads(text, object_hook=from_json))
    again = optimiser.state_dict()
    assert again["param_groups"] == saved["param_groups"]
    np.testing.assert_equal(again["state"], saved["state"])


def test_a_state_dict_is_a_copy_both_ways() -> None:
    p = parameter(3.0)
    optimiser = optim.Adam([p])
    descend(optimiser, [p], 1)
    saved = optimiser.state_dict()
    before = saved["state"][0]["exp_avg"].copy()
    optimiser.load_state_dict(saved)
    descend(optimiser, [p], 1)
    np.testing.assert_array_equal(saved["state"][0]["exp_avg"], before)


def remove_group(saved):
    saved["param_groups"] = []


def add_parameter(saved):
    saved["param_groups"][0]["params"].append(1)


def remove_setting(saved):
    del saved["param_groups"][0]["eps"]


def unknown_setting(saved):
    saved["param_groups"][0]["speed"] = 1.0


def negative_lr(saved):
    saved["param_groups"][0]["lr"] = -1.0


def remove_buffer(saved):
    del saved["state"][0]["exp_avg"]


def unknown_buffer(saved):
    saved["state"][0]["velocity"] = np.zeros(1, dtype=np.float32)


def wrong_buffer_shape(saved):
    saved["state"][0]["exp_avg"] = np.zeros((1, 1), dtype=np.float32)


def wrong_buffer_dtype(saved):
    saved["state"][0]["exp_avg"] = np.zeros(1)


def list_for_a_buffer(saved):
    saved["state"][0]["exp_avg"] = [0.0]


def negative_step(saved):
    saved["state"][0]["step"] = -1


def unknown_position(saved):
    saved["state"][7] = saved["state"][0]


def no_state(saved):
    del saved["state"]


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (remove_group, ValueError, "0 groups for an optimiser of 1"),
        (add_parameter, ValueError, r"parameters \[0, 1\], not \[0\]"),
        (remove_setting, ValueError, r"group 0 lacks \['eps'\]"),
        (unknown_setting, ValueError, r"group 0 has \['speed'\]"),
        (negative_lr, ValueError, "lr must be at least 0"),
        (remove_buffer, ValueError, r"parameter 0 lacks \['exp_avg'\]"),
        (unknown_buffer, ValueError, r"parameter 0 has \['velocity'\]"),
        (wrong_buffer_shape, ValueError, r"exp_avg is float32 of shape \(1, 1\)"),
        (wrong_buffer_dtype, ValueError, "exp_avg is float64"),
        (list_for_a_buffer, TypeError, "exp_avg is not an ndarray but list"),
        (negative_step, ValueError, "step must be at least 0"),
        (unknown_position, ValueError, r"parameters that are not there: \['7'\]"),
        (no_state, ValueError, r"state_dict lacks \['state'\]"),
    ],
)
def test_a_damaged_state_dict_changes_nothing(damage, error, words) -> None:
    p = parameter(3.0)
    optimiser = optim.Adam([p])
    descend(optimiser, [p], 1)
    before = optimiser.state_dict()
    damaged = optimiser.state_dict()
    damaged["param_groups"][0]["lr"] = 0.5
    damage(damaged)
    with pytest.raises(error, match=words):
        optimiser.load_state_dict(damaged)
    np.testing.assert_equal(optimiser.state_dict(), before)


def test_a_group_added_later_goes_on_counting_positions() -> None:
    first, second = with_gradient(1.0), with_gradient(1.0)
    optimiser = optim.RMSprop([first], lr=0.5)
    optimiser.add_param_group({"params": second, "lr": 0.25})
    optimiser.step()
    assert set(optimiser.state) == {0, 1}
    assert [group["params"] for group in optimiser.state_dict()["param_groups"]] == [[0], [1]]


def test_repr_tells_the_settings() -> None:
    found = repr(optim.SGD([parameter(1.0)], lr=0.5))
    assert found.startswith("SGD(1 parameters, ") and "lr=0.5" in found


def test_an_optimiser_without_a_rule_says_so() -> None:
    with pytest.raises(NotImplementedError, match="update"):
        optim.Optimizer([with_gradient(1.0)], {"lr": 0.1}).step()
