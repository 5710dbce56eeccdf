"""What is said of calls that a newcomer gets wrong."""

from __future__ import annotations

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, viz

WRONG = {
    "inner sizes": (
        lambda: tg.ones(2, 3) @ tg.ones(2, 3),
        ValueError,
        r"matmul\(float32\[2, 3\], float32\[2, 3\]\): the inner sizes differ, 3 and 2",
    ),
    "inner sizes of a batch": (
        lambda: tg.ones(5, 2, 3) @ tg.ones(4),
        ValueError,
        "the inner sizes differ, 3 and 4",
    ),
    "a size below one": (lambda: nn.LSTM(3, -4), ValueError, "hidden_size must be at least 1"),
    "a size that is not whole": (lambda: nn.GRU(3, 4.0), TypeError, "hidden_size is a whole numb"),
    "a class too many": (
        lambda: nn.functional.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 3])),
        ValueError,
        "classes from 0 to 3, but scores of 3 classes know 0 to 2",
    ),
    "a module for its parameters": (
        lambda: optim.Adam(nn.LSTM(2, 3)),
        TypeError,
        r"give it LSTM\.parameters\(\)",
    ),
    "x before the model": (
        lambda: viz.bptt(tg.ones(2, 1, 2), nn.RNN(2, 3)),
        TypeError,
        "the model comes first",
    ),
    "a device": (lambda: nn.LSTM(2, 3).cuda(), AttributeError, "computed on the CPU: leave it out"),
}


@pytest.mark.parametrize(("call", "kind", "said"), WRONG.values(), ids=WRONG.keys())
def test_it_is_said_in_the_words_of_who_called(call, kind, said) -> None:
    with pytest.raises(kind, match=said):
        call()


def test_recurrent_layers_know_pytorchs_names_too() -> None:
    layer = nn.LSTM(2, 3).double()
    assert layer.weight_hh_l0.dtype == "float64" and not hasattr(layer, "weight_hh_l1")
