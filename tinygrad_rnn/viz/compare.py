"""Pictures below one another, their gradients on one scale."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_file
from .picture import Picture
from .plots.figure import POINT, svg
from .style.palette import Scale, palette, style_sheet
from .style.text import number
from .svg.canvas import arrow_heads
from .svg.drawing import MARGIN, Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison"]


class Comparison:
    """Several pictures in one SVG, with the same colours for the same norms.

    `chart`: a Matplotlib figure that stands below them, as wide as they are.

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

    def __init__(self, pictures: Sequence[Picture], chart: Figure | None = None) -> None:
        self.pictures = list(pictures)
        self.chart = chart

    def drawings(self) -> list[Drawing]:
        """The pictures' drawings, their gradients on one scale."""
        drawings = [p.drawing(p.level, f"p{n}") for n, p in enumerate(self.pictures)]
        scale = Scale.over([norm for drawing in drawings for norm in drawing.norms()])
        for drawing in drawings:
            drawing.scale = scale
        return drawings

    def svg(self) -> str:
        """The SVG document."""
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
            scale = (width - 2 * MARGIN) / (self.chart.get_figwidth() * POINT)
            move = f"translate({number(MARGIN)} {number(y)}) scale({scale:.4f})"
            parts.append(f'<g transform="{move}">{svg(self.chart, "chart")}</g>')
            y += scale * self.chart.get_figheight() * POINT + MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(y)}" '
            f'width="{number(width)}" height="{number(y)}" role="img">'
            f"<style>{style_sheet(palette())}</style><defs>{arrow_heads()}{''.join(defs)}</defs>"
            f'<rect class="paper" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the SVG. ValueError for another ending than `.svg`."""
        target = Path(path)
        if target.suffix != ".svg":
            raise ValueError(f"{target.name!r} should end in .svg")
        write_file(target, self.svg())
        return target

    def __repr__(self) -> str:
        return f"<comparison of {len(self.pictures)} pictures>"

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": repr(self)}
