"""The scale of the gradient: a sample of each shade, and the norms at its ends."""

from __future__ import annotations

from ....language import say
from ...style.palette import SHADES, TEXT
from ...style.text import number, power, text_width
from ..canvas import Canvas
from ..scene import Scene

__all__ = ["draw_legend"]


def draw_legend(scene: Scene, canvas: Canvas, left: float) -> None:
    """The scale of the gradient: a sample of each shade, and the norms at its ends."""
    y, x = scene.sheet.bottom + 66, left + 16.0

    def note(text: str) -> float:
        """Write it at x; returns its width."""
        canvas.add(f'<text class="note" x="{number(x)}" y="{y + 4}">{text}</text>')
        return text_width(text, TEXT)

    canvas.add(f'<path class="state" d="M{x} {y}h26"/>')
    x += 33
    x += note(say("state")) + 24
    if scene.flow is None:
        return
    x += note(say("gradient norm"))
    low, high = (power(round(end)) for end in (canvas.scale.low, canvas.scale.high))
    canvas.add(f'<text class="caption" x="{number(x + 14)}" y="{y + 4}">{low}</text>')
    x += 30
    for shade in range(SHADES):
        canvas.add(
            f'<path class="g{shade}" d="M{number(x + shade * 18)} {y}h18" style="marker-end:none"/>'
        )
    x += SHADES * 18
    canvas.add(f'<text class="caption" x="{number(x + 18)}" y="{y + 4}">{high}</text>')
    canvas.add(f'<path class="gz" d="M{number(x + 50)} {y}h24"/>')
    x += 80
    note(say("exactly 0"))
