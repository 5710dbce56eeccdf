"""A section of a card: a heading, a sentence on what to look at, and the content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ..viz.charts.chart import Chart
from ..viz.page.document import panel_svg
from ..viz.style.text import escaped
from .glossary import linked

__all__ = ["Drawn", "Section", "Tile", "charts", "table", "tiles"]


@dataclass(frozen=True)
class Section:
    """`name`: its anchor. `about`: text. `content`: HTML. `means`: glossary entries it links to."""

    name: str
    title: str
    about: str
    content: str
    means: tuple[str, ...] = ()

    def html(self) -> str:
        """The section as HTML."""
        return (
            f'<section id="{self.name}"><h2>{escaped(self.title)}</h2>'
            f"<p class='about'>{escaped(self.about)}</p>{self.content}</section>"
        )


Drawn: TypeAlias = Callable[[], Section]
"""A section of what was found, drawn in the language in force when it is called."""


class Tile(NamedTuple):
    """A number with its name; `means`: its entry in the glossary."""

    number: str
    name: str
    means: str


def tiles(several: Sequence[Tile]) -> str:
    """Several numbers, side by side."""
    each = "".join(
        f'<div class="tile"><b>{escaped(tile.number)}</b>{linked(tile.name, tile.means)}</div>'
        for tile in several
    )
    return f'<div class="tiles">{each}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table whose cells are HTML; the style sheet aligns numbers."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="pan"><table class="{kind}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def charts(*several: Chart) -> str:
    """Charts whose panels wrap as there is room."""
    panels = "".join(panel_svg(panel) for chart in several for panel in chart.panels)
    return f'<div class="panels">{panels}</div>'
