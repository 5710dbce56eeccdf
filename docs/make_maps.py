"""Draw the pictures of docs/pictures.md: python docs/make_maps.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.language import LANGUAGES

IMAGES = Path(__file__).with_name("images")
INPUT, HIDDEN = 3, 8


def sequence(steps: int) -> tg.Tensor:
    """Random inputs, one sequence."""
    return tg.randn(steps, 1, INPUT)


def each_step(result: Any) -> tg.Tensor:
    """A loss to which each step adds."""
    return tg.sum(result[0])


def main() -> None:
    """One picture for each thing to be seen."""
    IMAGES.mkdir(exist_ok=True)
    tg.manual_seed(0)
    rnn, lstm = nn.RNN(INPUT, HIDDEN), nn.LSTM(INPUT, HIDDEN)
    cut = nn.Recurrent(nn.GRUCell(INPUT, HIDDEN), truncate=2)
    cell = nn.Recurrent(nn.LSTMCell(INPUT, HIDDEN))  # shorter names than in nn.LSTM
    both = nn.LSTM(INPUT, HIDDEN, bidirectional=True)
    pictures = {
        "gates": viz.bptt(cell, sequence(2), level="gates", title="LSTM, gates"),
        "ops": viz.bptt(lstm, sequence(1), title="LSTM, ops"),
        "modules": viz.bptt(lstm, sequence(4), level="modules", title="LSTM, modules"),
        "rolled": viz.bptt(lstm, sequence(4), level="rolled", title="LSTM, rolled"),
        "folded": viz.bptt(rnn, sequence(100), level="gates", fold=2, title="RNN, 100 steps"),
        "both_ways": viz.bptt(
            both, sequence(2), level="modules", loss=each_step, title="bidirectional LSTM"
        ),
        "cut": viz.bptt(cut, sequence(4), level="modules", loss=each_step, title="GRU, truncate=2"),
        "backward": viz.bptt(rnn, sequence(2), passes="both", title="RNN, both passes"),
        "backward_gates": viz.bptt(
            lstm, sequence(2), level="gates", passes="backward", title="LSTM, backward pass"
        ),
    }
    a, b = (tg.tensor(v, requires_grad=True).named(n) for n, v in {"a": -4.0, "b": 2.0}.items())
    small = viz.draw(tg.tanh((a * b).named("e") + 10.0), title="tanh(a b + 10)")
    named = {f"map_{name}": picture for name, picture in pictures.items()}
    for language in LANGUAGES:  # the site takes `name.ko.svg` on a Korean page
        ending = ".svg" if language == "en" else f".{language}.svg"
        with viz.use_language(language):
            for name, picture in {"expression": small, **named}.items():
                print(picture.save(IMAGES / f"{name}{ending}"))


if __name__ == "__main__":
    main()
