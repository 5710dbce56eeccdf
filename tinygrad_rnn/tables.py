"""Tables: rows of words as aligned text for a terminal, and as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

__all__ = ["html_table", "text_table"]

Row = Sequence[str]


def text_table(rows: Sequence[Row], right: Collection[int] = ()) -> str:
    """The rows, the first of which is the head, in columns; those numbered `right` right-aligned.

    >>> print(text_table([("name", "size"), ("weight", "12")], right=[1]))
    name    size
    weight    12
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = (
        "  ".join(
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def html_table(rows: Sequence[Row], right: Collection[int] = (), title: str = "") -> str:
    """The same as a table of HTML. All text is escaped; spaces at the start of a cell indent it.

    >>> html_table([("a",), ("1 < 2",)])[-40:]
    '1 &lt; 2</td></tr></tbody></table></div>'
    """
    head, *body = ([*row, *[""] * (len(rows[0]) - len(row))] for row in rows)
    caption = f"<div><b>{escape(title)}</b></div>" if title else ""
    return (
        f'<div style="max-width:100%;overflow-x:auto">{caption}<table><thead>'
        f"{_row(head, 'th', right)}</thead><tbody>"
        f"{''.join(_row(row, 'td', right) for row in body)}</tbody></table></div>"
    )


def _row(cells: Row, tag: str, right: Collection[int]) -> str:
    sides = ("right" if k in right else "left" for k in range(len(cells)))
    written = (
        f'<{tag} style="text-align:{side};white-space:pre-wrap">{escape(cell)}</{tag}>'
        for cell, side in zip(cells, sides)
    )
    return f"<tr>{''.join(written)}</tr>"
