"""An HTML document that needs no network and follows the theme, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from ...language import get_language, say
from ..charts.panel import Panel
from ..style.palette import palette, style_sheet, variables
from ..style.text import escaped, number
from ..svg.canvas import arrow_heads
from ..svg.drawing import Drawing

__all__ = ["document", "drawing_svg", "panel_svg", "resource", "theme_button", "themes"]


def document(title: str, body: str, rules: Sequence[str] = (), scripts: Sequence[str] = ()) -> str:
    """The page: `rules` and `scripts` are the style sheets and programs of this page alone.

    `body` has a button with the id "theme", see `theme_button`.
    """
    # Rules set colours by variable: variables reach what `<use>` stamps, selectors that start at
    # the root do not.
    sheet = style_sheet({name: f"var(--v-{name})" for name in palette()})
    programs = "".join(f"<script>{script}</script>" for script in (resource("theme.js"), *scripts))
    return (
        f'<!DOCTYPE html>\n<html lang="{get_language()}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{themes()}{sheet}{''.join(rules)}</style></head>"
        f'<body><svg width="0" height="0" aria-hidden="true"><defs>{arrow_heads()}</defs></svg>'
        f"{body}{programs}</body></html>\n"
    )


def theme_button() -> str:
    """The button that switches between light and dark."""
    return f'<button id="theme" type="button">{say("light / dark")}</button>'


def themes() -> str:
    """The colours of both themes as CSS variables: the system's theme, or the reader's choice."""
    light, dark = variables(), variables(dark=True)
    return (
        f":root{{{light};color-scheme:light dark}}"
        f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}"
        f":root[data-theme=dark]{{{dark};color-scheme:dark}}"
        ":root[data-theme=light]{color-scheme:light}"
        ":lang(ko){word-break:keep-all}"
    )


def panel_svg(panel: Panel) -> str:
    """A panel as an `<svg>` element, in its natural size at most."""
    width, height = number(panel.width), number(panel.height)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escaped(panel.title)}</title>{panel.content()}</svg>"
    )


def drawing_svg(drawing: Drawing) -> str:
    """A drawing as an `<svg>` element in its natural size."""
    content, definitions, (left, top, width, height) = drawing.parts()
    return (
        f'<svg viewBox="{left} {top} {width} {height}" width="{number(width)}" '
        f'height="{number(height)}"><defs>{definitions}</defs>{content}</svg>'
    )


def resource(name: str) -> str:
    """The text of a file in this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
