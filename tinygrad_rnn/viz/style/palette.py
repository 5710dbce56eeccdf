"""The looks of a picture: sizes, colours, and the style sheet that SVG and HTML share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FONT", "SYMBOLS", "Scale", "palette", "style_sheet", "variables"]

FONT = "'Inter','Helvetica Neue',Helvetica,Arial,'Noto Sans','Noto Sans CJK KR',sans-serif"

SYMBOLS = {  # how textbooks write an op; one that is not here is written by its name
    "add": "+",
    "sub": "−",
    "mul": "×",
    "hadamard": "⊙",
    "div": "÷",
    "neg": "−",
    "sigmoid": "σ",
    "sum": "Σ",
}

SHADES = 10  # gradient classes, from the weakest to the strongest
_LIGHT = ["#c9d3e0", "#b7c3d8", "#bdb3cf", "#cda6bd", "#dd98a0", "#e5847c", "#e56a58"]
_LIGHT += ["#d94c3d", "#bd2d33", "#8f1230"]
_DARK = ["#3b4658", "#4b5570", "#655a7c", "#84607f", "#a4687c", "#c3736f", "#df8360"]
_DARK += ["#f29a55", "#fbb95c", "#ffe08a"]

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
    """The colours by name; `g0` to `g9` are those of the gradient, weakest first."""
    ramp = {f"g{shade}": colour for shade, colour in enumerate(_DARK if dark else _LIGHT)}
    return {**{name: pair[dark] for name, pair in _INK.items()}, **ramp}


def _halo(colour: str) -> str:
    """A border about letters, so that a line behind them does not cross them out."""
    return f"paint-order:stroke;stroke:{colour};stroke-width:3px;stroke-linejoin:round"


def style_sheet(ink: Mapping[str, str]) -> str:
    """The CSS rules of a picture in the colours `ink`, named as those of `palette`."""
    rules = {
        "text": f"font-family:{FONT};font-size:11px;fill:{ink['ink']};text-anchor:middle",
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
        ".small": "font-size:9px",
        ".caption": f"font-size:9px;fill:{ink['soft']};{_halo(ink['cell'])}",
        ".time": f"font-size:11px;fill:{ink['soft']}",
        ".title": "font-size:15px;font-weight:600;text-anchor:start",
        ".note": f"font-size:11px;fill:{ink['soft']};text-anchor:start",
        ".band": f"font-size:11px;font-weight:600;fill:{ink['soft']};text-anchor:start",
        ".alarm": f"font-size:10px;font-weight:600;fill:{ink['alarm']}",
        ".mark": f"fill:{ink['alarm']};stroke:{ink['paper']};stroke-width:1.2",
        ".label": f"fill:{ink['paper']};stroke:{ink['alarm']};stroke-width:1",
        ".delay": f"stroke:{ink['state']}",
        ".cut": f"stroke:{ink['alarm']};stroke-width:2.2;fill:none",
        ".fold": f"fill:{ink['paper']};stroke:{ink['frame']};stroke-width:1.2;stroke-dasharray:5 4",
        ".axis": f"fill:none;stroke:{ink['frame']};stroke-width:1",
        ".plot": f"fill:none;stroke:{ink['state']};stroke-width:1.3",
        ".flag": f"stroke:{ink['alarm']};stroke-width:1.2;fill:none;stroke-dasharray:3 3",
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
    return "".join(f"{name}{{{rule}}}" for name, rule in rules.items())
