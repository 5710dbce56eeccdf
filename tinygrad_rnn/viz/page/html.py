"""The picture as one HTML file that needs no network: every level, to look into."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from ..model.columns import AFTER
from ..style.palette import palette, style_sheet, variables
from ..style.text import escaped
from ..svg.canvas import arrow_heads
from ..svg.drawing import Drawing
from .stats import BINS, box_facts

__all__ = ["page"]

MANY = 200  # columns from which histograms are left out


def page(drawings: dict[str, Drawing], level: str, title: str) -> str:
    """The document: `drawings` by level, `level` shown first."""
    svgs, levels = [], {}
    for name, drawing in drawings.items():
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
    # Rules with colours by variable: what `<use>` stamps is reached by them, and by no selector
    # that starts at the root.
    sheet = style_sheet({name: f"var(--v-{name})" for name in palette()})
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(title)}</title>"
        f"<style>{_variables()}{_file('page.css')}{sheet}</style></head><body>"
        f"<header><h1>{escaped(title)}</h1>"
        f'<div class="group" role="group" aria-label="level of detail">{buttons}</div>'
        f'<div class="group"><button id="play" aria-label="play">▶</button>'
        f'<input id="time" type="range" min="0" step="1" aria-label="time: forward, then backward">'
        f'<output id="when"></output></div>'
        f'<div class="group"><input id="search" type="search" placeholder="search (/)" '
        f'aria-label="search"><output id="found"></output></div>'
        f'<div class="group"><button id="fit">fit</button><button id="actual">100 %</button>'
        f'<button id="theme">light / dark</button></div></header>'
        f'<main id="stage" tabindex="0" aria-label="the picture">'
        f'<svg width="0" height="0" aria-hidden="true"><defs>{arrow_heads()}</defs></svg>'
        f'{"".join(svgs)}</main><aside id="info" hidden aria-live="polite"></aside>'
        f'<div id="help">drag or arrows: move · wheel or <kbd>+</kbd> <kbd>−</kbd>: zoom · '
        f"<kbd>f</kbd> fit · <kbd>0</kbd> 100 % · <kbd>1</kbd>…<kbd>4</kbd> level · "
        f"<kbd>space</kbd> play · <kbd>,</kbd> <kbd>.</kbd> step · <kbd>n</kbd> <kbd>p</kbd> "
        f"next, previous box · <kbd>/</kbd> search · <kbd>d</kbd> dark</div>"
        f'<script type="application/json" id="data">{encoded}</script>'
        f"<script>{_file('page.js')}</script></body></html>\n"
    )


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


def _variables() -> str:
    """The colours of both themes, as CSS variables."""
    themes = ((":root", False), (":root[data-theme=dark]", True))
    return "".join(f"{selector}{{{variables(dark)}}}" for selector, dark in themes)


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
