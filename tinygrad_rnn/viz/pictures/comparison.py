"""Pictures below one another, their gradients on one scale."""

from __future__ import annotations

from collections.abc import Sequence

from ..charts.chart import Chart
from ..style.palette import Scale, palette, style_sheet, themed
from ..style.text import number
from ..svg.canvas import arrow_heads
from ..svg.drawing import MARGIN, Drawing
from ..svg.saving import Saved
from .picture import Picture

__all__ = ["Comparison"]


class Comparison(Saved):
    """Several pictures in one SVG, with the same colours for the same norms.

    `chart`: a `Chart` to draw below them.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> x = tg.zeros(30, 1, 3)
    >>> cells = {"RNN": tg.nn.RNN(3, 4), "LSTM": tg.nn.LSTM(3, 4)}
    >>> both = Comparison(
    ...     [viz.bptt(m, x, level="modules", fold=None, title=name) for name, m in cells.items()]
    ... )
    >>> both.svg()[:4]
    '<svg'
    """

    def __init__(self, pictures: Sequence[Picture], chart: Chart | None = None) -> None:
        self.pictures = list(pictures)
        self.chart = chart

    def drawings(self) -> list[Drawing]:
        """The pictures' drawings, their gradients on one scale."""
        drawings = [p.drawing(p.level, f"p{n}") for n, p in enumerate(self.pictures)]
        scale = Scale.over([norm for drawing in drawings for norm in drawing.norms()])
        for drawing in drawings:
            drawing.scale = scale
        return drawings

    def svg(self, still: bool = False) -> str:
        """The SVG document; in a browser it follows the theme, light or dark."""
        drawings = self.drawings()
        parts, defs, y, width = [], [], 0.0, 0.0
        for drawing in drawings:
            drawing.legend = drawing is drawings[-1]
            content, definitions, (left, top, w, h) = drawing.parts()
            move = f"translate({number(-left)} {number(y - top)})"
            parts.append(f'<g transform="{move}">{content}</g>')
            defs.append(definitions)
            y, width = y + h - (0 if drawing.legend else 44), max(width, w)
        if self.chart is not None:
            places, _, below = self.chart.places()
            for panel, (left, top) in zip(self.chart.panels, places):
                move = f"translate({number(left + MARGIN / 2)} {number(y + top)})"
                parts.append(f'<g transform="{move}">{panel.content()}</g>')
            y += below
        rules = style_sheet(palette(), halo=False) if still else themed()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(y)}" '
            f'width="{number(width)}" height="{number(y)}" role="img">'
            f"<style>{rules}</style><defs>{arrow_heads()}{''.join(defs)}</defs>"
            f'<rect class="paper" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
        )

    def __repr__(self) -> str:
        return f"<comparison of {len(self.pictures)} pictures>"
