"""A section of a report: a heading, an explanation, figures side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ...files import write_file
from ..charts.chart import Chart
from ..page.document import document, panel_svg, theme_button
from ..style.text import escaped

__all__ = ["Section", "chart_figure", "figure", "write_report"]


@dataclass(frozen=True)
class Section:
    """`about`: what to look at, in a sentence or two, as text. `content`: HTML."""

    title: str
    about: str
    content: Sequence[str]

    def html(self) -> str:
        """The section as HTML; empty if it has no content."""
        if not self.content:
            return ""
        return (
            f"<section><h2>{escaped(self.title)}</h2><p>{escaped(self.about)}</p>"
            f"<div class='row'>{''.join(self.content)}</div></section>"
        )


def figure(picture: str, caption: str = "", kind: str = "plot") -> str:
    """A figure that scrolls where it is wider than the page."""
    told = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    return f'<figure class="{kind}-panel">{told}<div class="pan">{picture}</div></figure>'


def chart_figure(chart: Chart, caption: str = "") -> str:
    """A chart; its panels wrap as there is room."""
    panels = "".join(map(panel_svg, chart.panels))
    told = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    return f'<figure class="plot-panel">{told}<div class="panels">{panels}</div></figure>'


def write_report(
    path: str | os.PathLike[str], title: str, sections: Sequence[Section], lead: str = ""
) -> Path:
    """Write the page; `lead` is the HTML under the title. OSError if it cannot be written."""
    own = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    head = f"<header><h1>{escaped(title)}</h1>{theme_button()}</header>"
    body = f"{head}{lead}{''.join(section.html() for section in sections)}"
    write_file(path, document(title, body, [own]))
    return Path(path)
