"""What a box shows on hover: its value and its gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....language import say
from ...layout.step import Box
from ...style.text import escaped, in_brief, number
from ..canvas import Canvas
from ..scene import Scene

__all__ = ["draw_hover"]

MANY = 600  # boxes above which none shows anything: the file would grow too large


def draw_hover(
    scene: Scene, canvas: Canvas, boxes: Sequence[Box], places: Mapping[int, float]
) -> None:
    """Lay a transparent rectangle with a title over each box of each column, at its left border."""
    shown = [(box, c, x) for c, x in places.items() for box in boxes if c in box.row.members]
    if len(shown) > MANY or scene.compact:
        return
    for box, column, x in shown:
        left, top = x + box.x - box.width / 2, box.y - box.height / 2
        canvas.add(
            f'<rect class="hover" x="{number(left)}" y="{number(top)}" '
            f'width="{number(box.width)}" height="{number(box.height)}">'
            f"<title>{escaped(_told(scene, box, column))}</title></rect>"
        )


def _told(scene: Scene, box: Box, column: int) -> str:
    node = scene.sheet.unrolled.graph[box.row.top(column)]
    name = f"{say(node.name)} ({node.label})" if node.name and node.op is not None else node.label
    step = f", t = {node.step}" if node.step is not None else ""
    told = f"{name}{step}"
    if not node.has_several_outputs:
        shape = "×".join(map(str, node.shape or ())) or say("a number")
        told += f": {shape}, {in_brief(node.value)}"
    gradient = scene.flow.at(node.index) if scene.flow is not None else None
    return told if gradient is None else f"{told}; {say('gradient')} {in_brief(gradient)}"
