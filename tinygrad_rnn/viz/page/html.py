"""The picture as one HTML file that needs no network, with every level of detail."""

from __future__ import annotations

import json
from typing import Any

from ..model.columns import AFTER
from ..style.text import escaped
from ..svg.drawing import Drawing
from .document import document, resource
from .stats import BINS, box_facts

__all__ = ["page"]

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
    data = {"level": level, "levels": levels, "steps": steps}
    # `<` must not occur inside the script element, whatever the names are.
    encoded = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    buttons = "".join(
        f'<button id="level-{name}" aria-pressed="false">{name}</button>' for name in drawings
    )
    body = (
        f"<header><h1>{escaped(title)}</h1>"
        f'<div class="group" role="group" aria-label="level of detail">{buttons}</div>'
        f'<div class="group"><button id="play" aria-label="play">▶</button>'
        f'<input id="time" type="range" min="0" step="1" aria-label="time: forward, then backward">'
        f'<select id="speed" aria-label="speed of playing"><option value="1500">slow</option>'
        f'<option value="600" selected>normal</option><option value="120">fast</option></select>'
        f'<output id="when"></output></div>'
        f'<div class="group"><input id="search" type="search" placeholder="search (/)" '
        f'aria-label="search"><output id="found"></output></div>'
        f'<div class="group"><button id="fit">fit</button><button id="actual">100 %</button>'
        f'<button id="theme">light / dark</button></div></header>'
        f'<p id="look">{escaped(drawings[level].said)}</p>'
        f'<main id="stage" tabindex="0" aria-label="the picture">{"".join(svgs)}</main>'
        f'<aside id="info" hidden aria-live="polite"></aside>'
        f'<div id="help">drag or arrows: move · wheel or <kbd>+</kbd> <kbd>−</kbd>: zoom · '
        f"<kbd>f</kbd> fit · <kbd>0</kbd> 100 % · <kbd>1</kbd>…<kbd>4</kbd> level · "
        f"<kbd>space</kbd> play · <kbd>,</kbd> <kbd>.</kbd> step · <kbd>n</kbd> <kbd>p</kbd> "
        f"next, previous box · <kbd>/</kbd> search · <kbd>d</kbd> dark</div>"
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
