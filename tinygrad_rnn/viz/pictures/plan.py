"""Stages: the plan of a scan as a picture, with columns for once, before, in and after the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..style.palette import TEXT, palette, style_sheet, themed
from ..style.text import escaped, fitted, number
from ..svg.saving import Saved

if TYPE_CHECKING:
    from ...compiler.report import PlanLine, PlanReport

__all__ = ["PlanPicture", "stages"]

WIDTH, GAP, ROW, HEAD, MARGIN = 248.0, 44.0, 19.0, 46.0, 28.0
TITLE = 58.0
COLUMNS = {
    "once": ("once", ("once",)),
    "before": ("before the loop: all steps at once", ("before",)),
    "loop": ("the loop: step by step", ("loop",)),
    "after": ("after the loop: all steps at once", ("after", "total")),
}


class PlanPicture(Saved):
    """A plan drawn; made by `stages`. A notebook shows it as SVG.

    >>> import tinygrad_rnn as tg
    >>> PlanPicture(tg.nn.RNNCell(2, 3).plan()).svg().startswith("<svg")
    True
    """

    def __init__(self, plan: PlanReport) -> None:
        self.plan = plan

    def svg(self, still: bool = False) -> str:
        """The picture as an SVG document; in a browser it follows the theme, light or dark."""
        body: list[str] = []
        top = TITLE
        for direction in dict.fromkeys(line.direction for line in self.plan.lines):
            rows = self._draw_direction(direction, top, body)
            top += HEAD + rows * ROW + 52
        width = 2 * MARGIN + 4 * WIDTH + 3 * GAP
        plan = self.plan
        title = f"{plan.cell}: {plan.steps} steps, batch of {plan.batch_size}"
        rules = style_sheet(palette(), halo=False) if still else themed()
        note = "bars: share of all floating-point operations, counted from shapes"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(top)}"'
            f' width="{number(width)}" height="{number(top)}" role="img">'
            f"<title>{escaped(title)}</title><style>{rules}</style>"
            f'<rect class="paper" width="100%" height="100%"/>'
            f'<text class="title" x="{number(MARGIN)}" y="30">{escaped(title)}</text>'
            f'<text class="note" x="{number(MARGIN)}" y="48">{note}</text>'
            f"{''.join(body)}</svg>\n"
        )

    def _draw_direction(self, direction: str, top: float, body: list[str]) -> int:
        """One row of four columns; returns how many instructions the longest has."""
        of_column = {
            column: [
                line
                for line in self.plan.lines
                if line.direction == direction and line.stage in members
            ]
            for column, (_, members) in COLUMNS.items()
        }
        rows = max(map(len, of_column.values()))
        body.append(
            f'<text class="band" x="{number(MARGIN)}" y="{number(top + 14)}">{direction}</text>'
        )
        for k, (column, lines) in enumerate(of_column.items()):
            x = MARGIN + k * (WIDTH + GAP)
            body += self._panel(column, lines, x, top + 22, rows)
            if k:
                y = top + 22 + HEAD / 2
                body.append(
                    f'<path class="wire" d="M{number(x - GAP + 4)} {number(y)}H{number(x - 8)}"/>'
                    f'<path class="head" d="M{number(x - 3)} {number(y)}l-7 -3.5v7z"/>'
                )
        return rows

    def _panel(
        self, column: str, lines: Sequence[PlanLine], x: float, top: float, rows: int
    ) -> Iterator[str]:
        height = HEAD + rows * ROW + 4
        look = "named" if column == "loop" else "cell"
        whole = self.plan.total().flops or 1
        share = sum(line.cost.flops for line in lines) / whole
        yield (
            f'<rect class="{look}" x="{number(x)}" y="{number(top)}" rx="8" '
            f'width="{number(WIDTH)}" height="{number(height)}"/>'
            f'<text class="left" x="{number(x + 12)}" y="{number(top + 20)}">'
            f"{COLUMNS[column][0]}</text>"
            f'<text class="caption right" x="{number(x + WIDTH - 12)}" y="{number(top + 35)}">'
            f"{share:.1%} of all operations</text>"
        )
        if column == "loop" and lines:
            end, bottom = x + WIDTH, top + height
            yield (
                f'<path class="state" d="M{number(end - 30)} {number(bottom)}v9a7 7 0 0 1 -7 7'
                f'H{number(x + 37)}a7 7 0 0 1 -7 -7v-5"/>'
                f'<path class="shead" d="M{number(x + 30)} {number(bottom)}l-4 8h8z"/>'
            )
        for row, line in enumerate(lines):
            y = top + HEAD + row * ROW
            yield from self._instruction(line, x, y, line.cost.flops / whole)

    def _instruction(self, line: PlanLine, x: float, y: float, share: float) -> Iterator[str]:
        shape = "×".join(map(str, line.shape)) or "number"
        label = escaped(fitted(line.name, TEXT, WIDTH - 110))
        told = escaped(f"{line.name} = {line.call}; {line.cost.flops:,} operations, "
                       f"{line.cost.bytes:,} bytes; {', '.join(line.sources)}")  # fmt: skip
        kind = "left" if line.cost.bytes else "caption left"
        yield f"<g><title>{told}</title>"
        if share:
            wide = max(1.5, share * (WIDTH - 16))
            yield (
                f'<rect class="a6" fill-opacity=".45" x="{number(x + 8)}" y="{number(y)}" rx="3" '
                f'width="{number(wide)}" height="{number(ROW - 3)}"/>'
            )
        yield (
            f'<text class="{kind}" x="{number(x + 12)}" y="{number(y + 12)}">{label}</text>'
            f'<text class="caption right" x="{number(x + WIDTH - 12)}" y="{number(y + 12)}">'
            f"{shape}</text></g>"
        )


def stages(plan: PlanReport) -> PlanPicture:
    """Draw what `Cell.plan` found: four columns, forward and backward, with bars for the cost.

    >>> import tinygrad_rnn as tg
    >>> stages(tg.nn.LSTMCell(8, 16).plan()).svg()[:4]
    '<svg'
    """
    return PlanPicture(plan)
