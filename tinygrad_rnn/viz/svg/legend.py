"""The scale of the gradient: a sample of each shade, and the norms at its ends."""

from __future__ import annotations

from ...language import say
from ..style.palette import SHADES
from ..style.text import power
from .canvas import Canvas
from .scene import Scene

__all__ = ["draw_legend"]


def draw_legend(scene: Scene, canvas: Canvas, left: float) -> None:
    """The scale of the gradient: a sample of each shade, and the norms at its ends."""
    y, x = scene.sheet.bottom + 66, left + 16.0
    canvas.add(
        f'<path class="state" d="M{x} {y}h26"/>'
        f'<text class="note" x="{x + 33}" y="{y + 4}">{say("state")}</text>'
    )
    if scene.flow is None:
        return
    x += 84
    canvas.add(f'<text class="note" x="{x}" y="{y + 4}">{say("gradient norm")}</text>')
    x += 84
    canvas.add(
        f'<text class="caption" x="{x + 12}" y="{y + 4}">{power(round(canvas.scale.low))}</text>'
    )
    x += 30
    for shade in range(SHADES):
        canvas.add(f'<path class="g{shade}" d="M{x + shade * 18} {y}h18" style="marker-end:none"/>')
    x += SHADES * 18
    canvas.add(
        f'<text class="caption" x="{x + 18}" y="{y + 4}">{power(round(canvas.scale.high))}</text>'
    )
    canvas.add(
        f'<path class="gz" d="M{x + 50} {y}h24"/>'
        f'<text class="note" x="{x + 80}" y="{y + 4}">{say("exactly 0")}</text>'
    )
