"""One picture: a sheet stamped along time, and all painters in their order."""

from __future__ import annotations

from collections.abc import Sequence

from ..gradient.flow import Gradients
from ..layout.sheet import TRACK, Sheet
from ..layout.step import Box
from ..layout.strip import Strip
from ..model.columns import AFTER
from ..style.palette import TEXT, Scale, palette, style_sheet, themed
from ..style.text import escaped, number, wrapped
from .canvas import Canvas, arrow_heads
from .descents import descents
from .look import look
from .painters.cuts import cuts_of, draw_cuts
from .painters.ends import Ends, draw_ends
from .painters.flags import draw_flags, flags_of
from .painters.fold import draw_fold
from .painters.ground import draw_ground
from .painters.hover import draw_hover
from .painters.legend import draw_legend
from .painters.rolled import draw_loops, loops_width
from .painters.stamps import stamp
from .scene import Piece, Scene

__all__ = ["MARGIN", "Drawing"]

MARGIN = 28.0
START = 58.0  # room at the left for the values that the states start from
HEADER = 74.0
COLLECTOR = 24.0
NARROWEST = 620.0  # so that the legend fits

View = tuple[float, float, float, float]


class Drawing:
    """One sheet drawn along a strip, with the gradient's norms where a flow is given.

    `scale` may be set before it is drawn, `legend` and `hover` switched off. `prefix`: of
    identifiers, to keep drawings in one document apart. `note`: a further line under the title.
    `said`: what to look at. `ends`: what was drawn beside the steps.
    """

    def __init__(
        self,
        sheet: Sheet,
        strip: Strip,
        flow: Gradients | None,
        title: str,
        rolled: bool = False,
        prefix: str = "",
        labels: Sequence[str] | None = None,
        note: str = "",
    ) -> None:
        self.scene = Scene(sheet, strip, flow, rolled, labels)
        self.title = title
        self.prefix = prefix
        self.heading = self.legend = self.hover = True
        self.descents = descents(self.scene)
        self.cuts = cuts_of(self.scene)
        self.flags = [] if rolled else flags_of(self.scene, self.descents, self.cuts)
        self.scale = Scale.over(self.norms())
        self.ends = Ends(0.0)
        self.said = " ".join(filter(None, [look(self.scene, self.descents), note]))
        self._note = wrapped(self.said, TEXT, max(strip.width + 120, NARROWEST - 60))

    @property
    def left(self) -> float:
        """The left border of the picture."""
        loops = loops_width(self.scene) if self.scene.rolled else 0.0
        only_back = all(band.backward for band in self.scene.sheet.bands)  # states start at right
        return -(0.0 if only_back else START) - MARGIN - self.scene.aside - loops

    @property
    def top(self) -> float:
        """The upper border of the picture, above the lines that lead to the head."""
        head = self.scene.sheet.head
        lines = len(head.entries) if head is not None else 0
        header = HEADER + 16 * len(self._note)
        return self.collector - (header - COLLECTOR) - TRACK * max(lines - 1, 0)

    @property
    def collector(self) -> float:
        """The height of the line that leads to the head, above all columns and flags."""
        flags = [flag.y - 25 for flag in self.flags]
        return min([self.scene.sheet.top - COLLECTOR, *flags])

    def norms(self) -> list[float]:
        """The norms of all gradient edges, including those in a fold."""
        inside = (norm for descent in self.descents for norm in descent.norms)
        return [*self.scene.norms(), *(norm for norm in inside if norm is not None)]

    def boxes(self) -> list[Box]:
        """The boxes of a step and, once it is drawn, of what the states start from."""
        return [*(box for band in self.scene.sheet.bands for box in band.boxes), *self.ends.starts]

    def svg(self, still: bool = False) -> str:
        """The SVG document. `still`: light and plain, for programs that do not support themes."""
        content, definitions, view = self.parts()
        size = [number(part) for part in view]
        rules = style_sheet(palette(), halo=False) if still else themed()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{" ".join(size)}"'
            f' width="{size[2]}" height="{size[3]}" role="img">'
            f"<title>{escaped(self.title)}</title><style>{rules}</style>"
            f"<defs>{arrow_heads()}{definitions}</defs>"
            f'<rect class="paper" x="{size[0]}" y="{size[1]}" width="100%" height="100%"/>'
            f"{content}</svg>\n"
        )

    def parts(self) -> tuple[str, str, View]:
        """Everything drawn, the definitions it refers to, and its x, y, width and height."""
        scene = self.scene
        canvas = Canvas(self.scale, scene.runs_along, self.prefix)
        if self.heading:
            self._draw_heading(canvas)
        draw_ground(scene, canvas)
        boxes = [box for band in scene.sheet.bands for box in band.boxes]
        for column, x in scene.strip.places.items():
            stamp(scene, canvas, self._pieces(), boxes, column, x)
        right = self._draw_beside(canvas)
        if self.legend:
            draw_legend(scene, canvas, self.left)
        if self.hover:
            draw_hover(scene, canvas, boxes, scene.strip.places)
            head = scene.sheet.head
            if head is not None and not scene.rolled:
                draw_hover(scene, canvas, head.boxes, {AFTER: self.ends.head_at})
        width, height = right + MARGIN - self.left, scene.sheet.bottom + 92 - self.top
        view = (self.left, self.top, max(width, NARROWEST), height)
        return canvas.content(), canvas.definitions(), view

    def _draw_heading(self, canvas: Canvas) -> None:
        """The title, and what to look at."""
        x = self.left + 16
        title = escaped(self.title)
        canvas.add(f'<text class="title" x="{x}" y="{self.top + 28}">{title}</text>')
        for n, line in enumerate(self._note):
            y = number(self.top + 47 + 16 * n)
            canvas.add(f'<text class="look" x="{x}" y="{y}">{escaped(line)}</text>')

    def _pieces(self) -> list[Piece]:
        ways = [way for way in self.scene.sheet.ways if not (self.scene.rolled and way.reach)]
        return [*self.scene.pieces_in_steps(), *ways]

    def _draw_beside(self, canvas: Canvas) -> float:
        """Draw what is not stamped; returns how far to the right it extends."""
        scene = self.scene
        if scene.rolled:
            draw_loops(scene, canvas)
            return scene.sheet.width + loops_width(scene) + scene.aside
        draw_fold(scene, canvas, self.descents)
        self.ends = draw_ends(scene, canvas, self.collector)
        draw_cuts(scene, canvas, self.cuts)
        draw_flags(canvas, self.flags)
        return self.ends.right
