"""The picture as one HTML file that needs no network, with every level of detail."""

from __future__ import annotations

import json
from typing import Any

from ...language import say
from ..model.columns import AFTER
from ..style.text import escaped
from ..svg.drawing import Drawing
from .document import document, resource, theme_button
from .stats import BINS, box_facts

__all__ = ["page"]

KEYS = {
    "drag or arrows: move": "",
    "zoom": "<kbd>+</kbd> <kbd>−</kbd>",
    "fit": "<kbd>f</kbd>",
    "100 %": "<kbd>0</kbd>",
    "level of detail": "<kbd>1</kbd>…<kbd>4</kbd>",
    "play": "<kbd>space</kbd>",
    "step": "<kbd>,</kbd> <kbd>.</kbd>",
    "next, previous box": "<kbd>n</kbd> <kbd>p</kbd>",
    "search": "<kbd>/</kbd>",
    "light / dark": "<kbd>d</kbd>",
}
"""What the keys do."""
WORDS = (
    "before the first step", "forward, t = {t}", "forward and backward", "backward, t = {t}",
    "no module", "{count} ops", "value", "gradient", "norm", "gradient of this use", "mean", "std",
    "min", "max", "not finite", "{count} found",
)  # fmt: skip
"""What the page's script says."""

MANY = 200  # columns above which histograms are left out


def page(drawings: dict[str, Drawing], level: str, title: str) -> str:
    """The document: `drawings` by level, `level` shown first."""
    svgs, levels = [], {}
    for name, drawing in drawings.items():
        drawing.hover = False  # the page shows more on hover
        content, definitions, view = drawing.parts()
        svgs.append(
            f'<svg id="svg-{name}" viewBox="{" ".join(map(str, view))}" hidden>'
            f"<defs>{definitions}</defs>{content}</svg>"
        )
        levels[name] = _facts(drawing, view)
    steps = {
        column: drawing.scene.sheet.unrolled.steps[column]
        for drawing in drawings.values()
        for column in drawing.scene.strip.places
    }
    data = {"level": level, "levels": levels, "steps": steps, "words": {w: say(w) for w in WORDS}}
    # `<` must not occur inside the script element, whatever the names are.
    encoded = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    buttons = "".join(
        f'<button id="level-{name}" aria-pressed="false">{say(name)}</button>' for name in drawings
    )
    body = (
        f"<header><h1>{escaped(title)}</h1>"
        f'<div class="group" role="group" aria-label="{say("level of detail")}">{buttons}</div>'
        f'<div class="group"><button id="play" aria-label="{say("play")}">▶</button>'
        f'<input id="time" type="range" min="0" step="1" '
        f'aria-label="{say("time: forward, then backward")}">'
        f'<select id="speed" aria-label="{say("speed of playing")}">'
        f'<option value="1500">{say("slow")}</option>'
        f'<option value="600" selected>{say("normal")}</option>'
        f'<option value="120">{say("fast")}</option></select>'
        f'<output id="when"></output></div>'
        f'<div class="group"><input id="search" type="search" placeholder="{say("search")} (/)" '
        f'aria-label="{say("search")}"><output id="found"></output></div>'
        f'<div class="group"><button id="fit">{say("fit")}</button>'
        f'<button id="actual">100 %</button>'
        f"{theme_button()}</div></header>"
        f'<p id="look">{escaped(drawings[level].said)}</p>'
        f'<main id="stage" tabindex="0" aria-label="{say("the picture")}">{"".join(svgs)}</main>'
        f'<aside id="info" hidden aria-live="polite"></aside>'
        f'<div id="help">{" · ".join(f"{keys} {say(does)}" for does, keys in KEYS.items())}</div>'
        f'<script type="application/json" id="data">{encoded}</script>'
    )
    return document(title, body, [resource("page.css")], [resource("page.js")])


def _facts(drawing: Drawing, view: tuple[float, float, float, float]) -> dict[str, Any]:
    scene, sheet = drawing.scene, drawing.scene.sheet
    columns = list(scene.strip.places)
    bins = BINS if len(columns) <= MANY else 0
    boxes = box_facts(sheet.unrolled, scene.flow, drawing.boxes(), columns, bins)
    if sheet.head is not None:
        boxes += box_facts(sheet.unrolled, scene.flow, sheet.head.boxes, [AFTER], bins)
    return {
        "view": view,
        "columns": columns,
        "places": scene.strip.places,
        "ends": {AFTER: drawing.ends.head_at},
        "boxes": boxes,
    }
