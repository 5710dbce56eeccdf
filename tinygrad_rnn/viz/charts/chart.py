"""Chart: panels side by side, as many in a row as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from ..style.palette import palette, style_sheet, themed
from ..style.text import escaped, number
from ..svg.saving import Saved
from .panel import Panel

__all__ = ["Chart"]

GAP = 18.0
MARGIN = 12.0


class Chart(Saved):
    """Some panels as one picture, `width` px wide at most; made by the functions `plot_...`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> chart = viz.plot_gates(viz.gates(tg.nn.GRU(2, 3), tg.randn(4, 1, 2)), "name")
    >>> [panel.title for panel in chart.panels], chart.svg()[:4]
    (['reset gate', 'update gate', 'candidate', 'h'], '<svg')
    """

    def __init__(self, panels: Sequence[Panel], title: str = "", width: float = 780.0) -> None:
        self.panels = list(panels)
        self.title = title
        self.width = width

    def places(self) -> tuple[list[tuple[float, float]], float, float]:
        """The corner of each panel, and the width and height of the whole."""
        x = y = MARGIN
        row = right = 0.0
        found = []
        for panel in self.panels:
            if x > MARGIN and x + panel.width > self.width - MARGIN:
                x, y, row = MARGIN, y + row + GAP, 0.0
            found.append((x, y))
            x, row = x + panel.width + GAP, max(row, panel.height)
            right = max(right, x - GAP)
        return found, right + MARGIN, y + row + MARGIN

    def svg(self, still: bool = False) -> str:
        """The SVG document; in a browser it follows the theme, light or dark."""
        places, width, height = self.places()
        rules = style_sheet(palette(), halo=False) if still else themed()
        drawn = "".join(
            f'<g transform="translate({number(x)} {number(y)})">{panel.content()}</g>'
            for panel, (x, y) in zip(self.panels, places)
        )
        size = f"{number(width)} {number(height)}".split()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {" ".join(size)}" '
            f'width="{size[0]}" height="{size[1]}" role="img"><title>{escaped(self.title)}</title>'
            f'<style>{rules}</style><rect class="paper" width="100%" height="100%"/>{drawn}</svg>\n'
        )

    def __repr__(self) -> str:
        return f"<chart of {len(self.panels)} panels>"
