"""Draw the pictures of README and docs: python docs/make_pictures.py."""

from __future__ import annotations

from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.language import LANGUAGES

IMAGES = Path(__file__).with_name("images")
INPUT, HIDDEN = 3, 8


class Last(nn.Module):
    """A cell run over a sequence step by step; returns its last output."""

    def __init__(self, cell: nn.Cell) -> None:
        self.cell = cell

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """x (T, B, input size)."""
        state = self.cell.initial_state(x.shape[1])
        for t in range(len(x)):
            with tg.scope(step=t):
                output, state = self.cell.advance(x[t], state)
        return output


def open_lstm(input_size: int, hidden_size: int, bias: float) -> nn.LSTMCell:
    """An LSTM whose forget gate starts open."""
    cell = nn.LSTMCell(input_size, hidden_size)
    nn.init.forget_gate_bias_(cell.bias_ih, bias)
    return cell


def few_steps(ending: str) -> None:
    """The plain RNN alone over four random steps, and beside an LSTM over two."""

    def unrolled(name: str, cell: nn.Cell, steps: int) -> viz.Picture:
        x = tg.randn(steps, 1, INPUT)
        return viz.bptt(nn.Recurrent(cell), x, level="gates", title=name)

    tg.manual_seed(0)
    rnn, lstm = nn.RNNCell(INPUT, HIDDEN), open_lstm(INPUT, HIDDEN, 2.0)
    print(unrolled("RNN", rnn, 4).save(IMAGES / f"rnn{ending}"))
    both = [unrolled("RNN", rnn, 2), unrolled("LSTM", lstm, 2)]
    print(viz.Comparison(both).save(IMAGES / f"rnn_lstm{ending}"))


def hundred_steps(ending: str) -> None:
    """The plain RNN and the LSTM over the same hundred steps, and the course of the gradient."""
    tg.manual_seed(0)
    x = tg.randn(100, 1, 8).named("x")
    models = {"RNN": Last(nn.RNNCell(8, 32)), "LSTM": Last(open_lstm(8, 32, 3.0))}
    maps = [
        viz.bptt(model, x, level="modules", fold=2, title=name) for name, model in models.items()
    ]
    flows = {name: viz.gradient_flow(model, x) for name, model in models.items()}
    both = viz.Comparison(maps, viz.plot_gradient_flow(flows))
    print(both.save(IMAGES / f"hundred_steps{ending}"))


def plots(ending: str) -> None:
    """What the LSTM's gates do while it reads a name, and how its steps hang together."""
    tg.manual_seed(0)
    word = "Kowalski"
    letters = tg.randn(len(word), 1, 8, requires_grad=True).named("letter")
    lstm = nn.Recurrent(open_lstm(8, 32, 3.0))
    charts = {
        "gates": viz.plot_gates(viz.gates(lstm, letters), word),
        "connectivity": viz.plot_connectivity(viz.connectivity(lstm, letters), word),
    }
    for name, chart in charts.items():
        print(chart.save(IMAGES / f"{name}{ending}"))


def main() -> None:
    """Every picture in every language: the site takes `name.ko.svg` on a Korean page."""
    IMAGES.mkdir(exist_ok=True)
    for language in LANGUAGES:
        with viz.use_language(language):
            ending = ".svg" if language == "en" else f".{language}.svg"
            print(viz.show("vanishing").save(IMAGES / f"vanishing{ending}"))
            few_steps(ending)
            hundred_steps(ending)
            plots(ending)


if __name__ == "__main__":
    main()
