"""A lesson as a picture, and as a page with sliders: for each position, what the network did."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...invocation import command
from ...language import get_language, say
from ..charts.panel import Panel
from ..page.document import document, theme_button
from ..style.palette import palette, style_sheet, themed
from ..style.text import escaped, number, wrapped
from ..svg.saving import Saved
from .lesson import Card, Lesson

__all__ = ["Show"]

GAP, MARGIN = 20.0, 20.0
_FOOT = (
    "Every line is a real run of the networks; this page holds {count}. To make it with other "
    "values:"
)


class Show(Saved):
    """A lesson with its knobs set; made by `show`. A notebook shows it as SVG.

    >>> import tinygrad_rnn as tg
    >>> tg.viz.show("truncation", truncate=10).command().partition(" show ")[2]
    'truncation --truncate 10'
    """

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson

    def panels(self) -> list[Panel]:
        """The two networks with the current values of the knobs."""
        return [card.draw(self.lesson.defaults) for card in self.lesson.cards]

    def svg(self, still: bool = False) -> str:
        """Both networks side by side as an SVG document."""
        panels, lesson = self.panels(), self.lesson.said
        width = 2 * MARGIN + GAP + sum(panel.width for panel in panels)
        look = wrapped(lesson.look, 13, width - 2 * MARGIN)
        top = 54 + 18 * len(look)
        height = top + max(panel.height for panel in panels) + 12
        rules = style_sheet(palette(), halo=False) if still else themed()
        parts, x = [], MARGIN
        for panel in panels:
            parts.append(
                f'<g transform="translate({number(x)} {number(top)})">'
                f'<rect class="cell" width="{number(panel.width)}" rx="10" '
                f'height="{number(panel.height)}"/>{panel.content()}</g>'
            )
            x += panel.width + GAP
        said = "".join(
            f'<text class="left told" x="{MARGIN:g}" y="{60 + 18 * n}">{escaped(line)}</text>'
            for n, line in enumerate(look)
        )
        size = f'viewBox="0 0 {number(width)} {number(height)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} width="{number(width)}" '
            f'height="{number(height)}" role="img"><title>{escaped(lesson.question)}</title>'
            f'<style>{rules}</style><rect class="paper" width="100%" height="100%"/>'
            f'<text class="question" x="{MARGIN:g}" y="36">{escaped(lesson.question)}</text>'
            f"{said}{''.join(parts)}</svg>\n"
        )

    def html(self) -> str:
        """The page: it needs no network; its sliders choose among recorded runs."""
        lesson = self.lesson.said
        cards = [self._frames(card) for card in lesson.cards]
        count = sum(len(card["frames"]) for card in cards)
        data = {
            "knobs": [
                {
                    "values": [f"{v:g}" for v in knob.positions],
                    "told": [knob.tell(v) for v in knob.positions],
                }
                for knob in lesson.knobs
            ],
            "cards": cards,
        }
        # `<` must not occur inside the script element, whatever its content is.
        encoded = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace(
            "<", "\\u003c"
        )
        sliders = "".join(
            f'<label class="knob"><span>{escaped(knob.label)} = <b id="v{n}"></b></span>'
            f'<input type="range" id="k{n}" min="0" max="{len(knob.positions) - 1}" step="1" '
            f'value="{knob.positions.index(knob.default)}"><small id="t{n}"></small></label>'
            for n, knob in enumerate(lesson.knobs)
        )
        figures = "".join(
            f'<figure class="card"><svg id="c{n}" role="img"></svg></figure>'
            for n in range(len(cards))
        )
        why = "".join(f"<p>{escaped(text)}</p>" for text in lesson.why)
        turn = "".join(f"<li>{escaped(text)}</li>" for text in lesson.turn)
        body = (
            f"<main><header><h1>{escaped(lesson.question)}</h1>{theme_button()}"
            f'</header><p class="look">{escaped(lesson.look)}</p>'
            f'<div class="knobs">{sliders}</div><div class="cards">{figures}</div>'
            f'<div class="texts"><section><h2>{say("Now turn the knobs")}</h2>'
            f"<ul>{turn}</ul></section>"
            f"<section><h2>{say('Why it is so')}</h2>{why}</section></div>"
            f'<p class="foot">{say(_FOOT, count=count)} <code>{escaped(self.command())}</code></p>'
            "</main>"
            f'<script type="application/json" id="data">{encoded}</script>'
        )
        return document(lesson.question, body, [_file("show.css")], [_file("show.js")])

    def command(self) -> str:
        """The command that makes this page."""
        options = (
            word
            for knob in self.lesson.knobs
            for word in (f"--{knob.name.replace('_', '-')}", f"{knob.default:g}")
        )
        language = get_language()
        spoken = () if language == "en" else ("--lang", language)
        return command("show", self.lesson.name, *options, *spoken)

    def _frames(self, card: Card) -> dict[str, Any]:
        """The card at every position of its knobs."""
        names = [knob.name for knob in self.lesson.knobs]
        knobs = [self.lesson.knobs[names.index(name)] for name in card.knobs]
        frames: dict[str, str] = {}
        size = (0.0, 0.0)
        for places in itertools.product(*(range(len(knob.positions)) for knob in knobs)):
            values = {k.name: k.positions[place] for k, place in zip(knobs, places)}
            panel = card.draw(values)
            frames[",".join(map(str, places))] = panel.content()
            size = panel.width, max(size[1], panel.height)
        return {"knobs": [names.index(name) for name in card.knobs], "size": size, "frames": frames}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file in the form of its ending: `.html`, `.svg`, `.png` or `.pdf`.

        ValueError for another ending; ImportError that names the extra where PNG or PDF needs it.
        """
        return self._save(path, {".html": self.html})

    def __repr__(self) -> str:
        set_: Mapping[str, float] = self.lesson.defaults
        return f"<lesson {self.lesson.name}: {', '.join(f'{k}={v:g}' for k, v in set_.items())}>"


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
