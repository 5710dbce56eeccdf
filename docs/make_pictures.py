"""Draw the pictures of README and docs/bptt.md: python docs/make_pictures.py."""

from __future__ import annotations

from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

IMAGES = Path(__file__).with_name("images")
STEPS, INPUT, HIDDEN = 4, 3, 8


def unrolled(name: str, cell: nn.Cell) -> viz.Picture:
    """The cell over a random sequence, and the gradient of its last output."""
    x = tg.randn(STEPS, 1, INPUT)
    return viz.bptt(nn.Recurrent(cell), x, level="gates", title=name)


def main() -> None:
    """The plain RNN alone, and beside an LSTM whose forget gate starts open."""
    IMAGES.mkdir(exist_ok=True)
    tg.manual_seed(0)
    rnn = unrolled("RNN", nn.RNNCell(INPUT, HIDDEN))
    cell = nn.LSTMCell(INPUT, HIDDEN)
    nn.init.forget_gate_bias_(cell.bias_ih, 2.0)
    lstm = unrolled("LSTM", cell)
    print(rnn.save(IMAGES / "rnn.svg"))
    print(viz.Comparison([rnn, lstm]).save(IMAGES / "rnn_lstm.svg"))


if __name__ == "__main__":
    main()
