"""Draw the pictures of README and docs/bptt.md: python docs/make_pictures.py."""

from __future__ import annotations

from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

IMAGES = Path(__file__).with_name("images")
STEPS, INPUT, HIDDEN = 4, 3, 8


def main() -> None:
    """Draw the plain RNN and the LSTM, unrolled, with the gradient of the last state."""
    IMAGES.mkdir(exist_ok=True)
    for name, cell in (("rnn", nn.RNNCell), ("lstm", nn.LSTMCell)):
        tg.manual_seed(0)
        layer = nn.Recurrent(cell(INPUT, HIDDEN))
        picture = viz.bptt(layer, tg.randn(STEPS, 1, INPUT), level="gates", title=name.upper())
        print(picture.save(IMAGES / f"{name}.svg"))


if __name__ == "__main__":
    main()
