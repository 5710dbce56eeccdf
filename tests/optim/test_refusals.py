"""What an optimiser refuses when it is made."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim

x = tg.tensor([1.0], requires_grad=True)
generator = (p for p in [])


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ([], ValueError, "no parameters"),
        (generator, ValueError, "no parameters"),
        ([{"params": []}], ValueError, "no parameters"),
        (x, TypeError, r"write \[x\]"),
        ({"params": [x]}, TypeError, "write"),
        ({x}, TypeError, "fixed order"),
        ([{"params": {x}}], TypeError, "fixed order"),
        ([np.ones(2)], TypeError, "parameter 0 is not a Tensor but ndarray"),
        ([("weight", x)], TypeError, "not a Tensor but tuple"),
        ([x, {"params": [x]}], TypeError, "parameter 1 is not a Tensor but dict"),
        ([x * 2], ValueError, "parameter 0 is a result of .*leaves"),
        ([tg.tensor([1.0])], ValueError, "requires no gradient"),
        ([x, x], ValueError, "parameter 1 is there twice"),
        ([{"params": [x]}, {"params": [x]}], ValueError, "twice"),
        ([{"lr": 1.0}], ValueError, '"params"'),
        ([{"params": [x], "weight_deacy": 1.0}], ValueError, "'weight_deacy'; it has lr,"),
        ([{"params": [x], "lr": -1.0}], ValueError, "lr must be at least 0, not -1"),
    ],
)
def test_parameters_that_cannot_be_optimised_are_refused(params, error, words) -> None:
    with pytest.raises(error, match=words):
        optim.SGD(params)


@pytest.mark.parametrize(
    ("make", "settings", "words"),
    [
        *[(kind, {"lr": -0.1}, "lr") for kind in (optim.SGD, optim.RMSprop, optim.Adam)],
        *[(optim.SGD, {name: -0.1}, name) for name in ("momentum", "dampening", "weight_decay")],
        *[(optim.RMSprop, {name: -0.1}, name) for name in ("alpha", "eps", "momentum")],
        (optim.SGD, {"lr": math.nan}, "lr is NaN"),
        (optim.SGD, {"lr": math.inf}, "lr must be finite"),
        (optim.SGD, {"nesterov": True}, "momentum > 0"),
        (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening = 0"),
        (optim.RMSprop, {"alpha": 1.0}, "alpha must be below 1"),
        (optim.Adam, {"betas": (0.9, 1.0)}, r"betas\[1\] must be below 1"),
        (optim.AdamW, {"weight_decay": -1}, "weight_decay must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(make, settings, words) -> None:
    with pytest.raises(ValueError, match=words):
        make([x], **settings)


@pytest.mark.parametrize(
    ("make", "settings", "words"),
    [
        (optim.SGD, {"lr": "fast"}, "lr must be a number, not str"),
        (optim.SGD, {"lr": tg.tensor(0.1)}, "lr must be a number"),
        (optim.SGD, {"nesterov": 1}, "nesterov must be True or False"),
        (optim.Adam, {"betas": 0.9}, "betas must be a pair"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(make, settings, words) -> None:
    with pytest.raises(TypeError, match=words):
        make([x], **settings)


def test_a_refused_group_is_not_added() -> None:
    optimiser = optim.SGD([x])
    with pytest.raises(ValueError, match="twice"):
        optimiser.add_param_group({"params": [tg.tensor([2.0], requires_grad=True), x]})
    assert len(optimiser.param_groups) == 1
