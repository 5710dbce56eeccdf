"""The appearance of a picture: sizes, colours, and the style sheet that SVG and HTML share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FONT", "SERIES", "SHADES", "SMALL", "TEXT", "TONES", "Scale"]
__all__ += ["gradient_width", "palette", "style_sheet", "themed", "variables"]

FONT = "'Inter','Helvetica Neue',Helvetica,Arial,'Noto Sans','Noto Sans CJK KR',sans-serif"

SMALL = 12.0  # px: no label is smaller, so that one can be read where a picture is shrunk a little
TEXT = 13.0  # px: names, and what is explained

# The meaning of each colour, everywhere: the ramp from grey through red is the gradient; `a0` ...
# are amounts from 0 to 1, such as gates; `d0` ... are signed, negative orange, positive blue;
# `m0` ... distinguish things, such as models.
SHADES = 10  # gradient classes, from the weakest to the strongest
TONES = 11  # of an amount and of a signed value
_LIGHT = ["#c9d3e0", "#b7c3d8", "#bdb3cf", "#cda6bd", "#dd98a0", "#e5847c", "#e56a58"]
_LIGHT += ["#d94c3d", "#bd2d33", "#8f1230"]
_DARK = ["#3b4658", "#4b5570", "#655a7c", "#84607f", "#a4687c", "#c3736f", "#df8360"]
_DARK += ["#f29a55", "#fbb95c", "#ffe08a"]

_AMOUNT = (("#eef4f4", "#0a615c"), ("#1d2a2e", "#86ead9"))
_SIGNED = (("#b85c12", "#f3f4f6", "#2456c5"), ("#ffae5e", "#242b35", "#86aeff"))
_SERIES = (
    ("#8447c2", "#b98cf0"),
    ("#2f8a3c", "#79cf7f"),
    ("#5a6b84", "#a3b3cb"),
    ("#9a7b14", "#dcbf5c"),
    ("#b8468a", "#ee8fc6"),
    ("#2787ad", "#74c4e6"),
)
SERIES = len(_SERIES)

_INK = {
    "paper": ("#ffffff", "#14181f"),
    "ink": ("#1f2733", "#e8ecf2"),
    "soft": ("#69748a", "#96a1b5"),
    "wire": ("#7d8aa0", "#72809a"),
    "state": ("#27384f", "#c7d5ea"),
    "box": ("#ffffff", "#1f2631"),
    "edge": ("#8592a8", "#66748c"),
    "learned": ("#eaf0fb", "#233354"),
    "named": ("#fff6dd", "#4a3d18"),
    "input": ("#e5f3ec", "#1d3d31"),
    "cell": ("#f6f8fb", "#191f29"),
    "frame": ("#e1e6ee", "#2b3443"),
    "accent": ("#2f5bd0", "#8fb0ff"),
    "alarm": ("#8f1230", "#ffb86b"),
}


@dataclass(frozen=True)
class Scale:
    """Gradient norms on a logarithmic scale from `low` to `high` (powers of ten)."""

    low: float
    high: float

    @classmethod
    def over(cls, norms: list[float]) -> Scale:
        """A scale that holds these norms, ten decades below the largest at most."""
        logs = [math.log10(n) for n in norms if 0 < n < math.inf]
        high = math.ceil(max(logs, default=0.0) - 1e-9)
        low = math.floor(min(logs, default=0.0))
        return cls(max(min(low, high - 2), high - 10), high)

    def shade(self, norm: float | None) -> str:
        """The class for a norm: g0 (weakest) to g9, gz for exactly none, gx for inf and NaN."""
        if norm is None:
            return ""
        if norm == 0:
            return "gz"
        if not math.isfinite(norm):
            return "gx"
        place = (math.log10(norm) - self.low) / (self.high - self.low)
        return f"g{min(max(int(place * SHADES), 0), SHADES - 1)}"


def variables(dark: bool = False) -> str:
    """The colours of the palette as CSS variables, `--v-ink` and so on."""
    return ";".join(f"--v-{name}:{colour}" for name, colour in palette(dark).items())


def gradient_width(shade: int) -> float:
    """The width in px of a gradient edge of this shade."""
    return 0.8 + 3.4 * shade / (SHADES - 1)


def palette(dark: bool = False) -> dict[str, str]:
    """The colours by name, for a light or a dark background.

    `g0` to `g9` are those of the gradient, weakest first; `a0` to `a10` of an amount, `d0` to `d10`
    of a signed value, `m0` to `m5` of things to distinguish.
    """
    colours = {name: pair[dark] for name, pair in _INK.items()}
    colours |= {f"g{shade}": colour for shade, colour in enumerate(_DARK if dark else _LIGHT)}
    low, high = _AMOUNT[dark]
    negative, none, positive = _SIGNED[dark]
    for tone in range(TONES):
        place = tone / (TONES - 1)
        colours[f"a{tone}"] = _mixed(low, high, place)
        end = positive if place >= 0.5 else negative
        colours[f"d{tone}"] = _mixed(none, end, abs(2 * place - 1))
    colours |= {f"m{n}": pair[dark] for n, pair in enumerate(_SERIES)}
    return colours


def _mixed(a: str, b: str, share: float) -> str:
    """The colour between two, `share` of the way from `a` to `b`."""
    parts = ((int(a[n : n + 2], 16), int(b[n : n + 2], 16)) for n in (1, 3, 5))
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in parts)


def themed() -> str:
    """The style sheet of a stand-alone file: light, and dark where the viewer prefers dark."""
    dark = style_sheet(palette(dark=True))
    return f"{style_sheet(palette())}@media(prefers-color-scheme:dark){{{dark}}}"


def _halo(colour: str) -> str:
    return f"paint-order:stroke;stroke:{colour};stroke-width:3px;stroke-linejoin:round"


def style_sheet(ink: Mapping[str, str], halo: bool = True) -> str:
    """The CSS rules of a picture in the colours `ink`, named as in `palette`.

    `halo`: whether small text has a border, so that a line behind it does not strike it through.
    """
    border = _halo(ink["cell"]) if halo else ""
    rules = {
        "text": f"font-family:{FONT};font-size:{TEXT:g}px;fill:{ink['ink']};text-anchor:middle",
        ".paper": f"fill:{ink['paper']}",
        ".box": f"fill:{ink['box']};stroke:{ink['edge']};stroke-width:1.1",
        ".tick": f"fill:{ink['frame']};stroke:none",
        ".learned": f"fill:{ink['learned']};stroke:{ink['edge']};stroke-width:1.1",
        ".named": f"fill:{ink['named']};stroke:{ink['edge']};stroke-width:1.1",
        ".input": f"fill:{ink['input']};stroke:{ink['edge']};stroke-width:1",
        ".tag": f"fill:{ink['learned']};stroke:none",
        ".cell": f"fill:{ink['cell']};stroke:{ink['frame']};stroke-width:1",
        ".wire": f"fill:none;stroke:{ink['wire']};stroke-width:1.2",
        ".state": f"fill:none;stroke:{ink['state']};stroke-width:2",
        ".dot": f"fill:{ink['state']};stroke:none",
        ".small": f"font-size:{SMALL:g}px",
        ".caption": f"font-size:{SMALL:g}px;fill:{ink['soft']};{border}",
        ".time": f"font-size:{TEXT:g}px;fill:{ink['soft']}",
        ".title": "font-size:15px;font-weight:600;text-anchor:start",
        ".look": f"font-size:{TEXT:g}px;text-anchor:start",
        ".note": f"font-size:{TEXT:g}px;fill:{ink['soft']};text-anchor:start",
        ".band": f"font-size:{TEXT:g}px;font-weight:600;fill:{ink['soft']};text-anchor:start",
        ".alarm": f"font-size:{SMALL:g}px;font-weight:600;fill:{ink['alarm']}",
        ".mark": f"fill:{ink['alarm']};stroke:{ink['paper']};stroke-width:1.2",
        ".label": f"fill:{ink['paper']};stroke:{ink['alarm']};stroke-width:1",
        ".delay": f"stroke:{ink['state']}",
        ".cut": f"stroke:{ink['alarm']};stroke-width:2.2;fill:none",
        ".fold": f"fill:{ink['paper']};stroke:{ink['frame']};stroke-width:1.2;stroke-dasharray:5 4",
        ".axis": f"fill:none;stroke:{ink['frame']};stroke-width:1",
        ".plot": f"fill:none;stroke:{ink['state']};stroke-width:1.3",
        ".flag": f"stroke:{ink['alarm']};stroke-width:1.2;fill:none;stroke-dasharray:3 3",
        ".grid": f"fill:none;stroke:{ink['frame']};stroke-width:1",
        ".soft": f"font-size:{SMALL:g}px;fill:{ink['soft']}",
        ".heading": "font-size:13px;font-weight:600",
        ".steps": f"fill:{ink['named']};stroke:{ink['edge']};stroke-width:.5",
        ".future": f"fill:{ink['soft']};fill-opacity:.13",
        ".told": "font-size:13px",
        ".question": "font-size:22px;font-weight:600;text-anchor:start",
        ".left": "text-anchor:start",
        ".right": "text-anchor:end",
        ".strong": "font-weight:600",
        ".missing": f"fill:{ink['soft']};fill-opacity:.22",
        ".hover": "fill:transparent;stroke:none",
        ".head": f"fill:{ink['wire']};stroke:none",
        ".shead": f"fill:{ink['state']};stroke:none",
        ".gz": f"fill:none;stroke:{ink['g0']};stroke-width:.8;stroke-dasharray:1.5 3",
        ".gx": f"fill:none;stroke:{ink['alarm']};stroke-width:5;stroke-dasharray:2 2",
    }
    for shade in range(SHADES):
        colour = ink[f"g{shade}"]
        rules[f".g{shade}"] = (
            f"fill:none;stroke:{colour};stroke-width:{gradient_width(shade):.2g};"
            f"marker-end:url(#a{shade})"
        )
        rules[f".h{shade}"] = f"fill:{colour};stroke:none"
    for tone in range(TONES):
        rules[f".a{tone}"] = f"fill:{ink[f'a{tone}']}"
        rules[f".d{tone}"] = f"fill:{ink[f'd{tone}']}"
    for series in range(SERIES):
        colour = ink[f"m{series}"]
        rules[f".m{series}"] = f"fill:none;stroke:{colour};stroke-linejoin:round"
        rules[f".n{series}"] = f"fill:{colour};stroke:none"
    return "".join(f"{name}{{{rule}}}" for name, rule in rules.items())
