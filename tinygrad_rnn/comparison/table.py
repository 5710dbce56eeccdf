"""The tables of a comparison, one for each task: as text for a terminal, as HTML for a notebook."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

from ..language import say
from ..tables import html_table, text_table
from ..training import Spread
from .entries import Entry, leaders
from .jobs import Recipe

__all__ = ["heading", "html_tables", "rows_of", "seeds_in_words", "text_tables", "tie_note"]
__all__ += ["translated"]

HEAD = ("  cell", "hidden", "weights", "off", "loss", "accuracy", "ms/step")
_WIDTH = 80
_RIGHT = (1, 2, 3, 4, 5, 6)
Tasks = Mapping[str, Sequence[Entry]]


def text_tables(tasks: Tasks, recipe: Recipe) -> str:
    """All tables, and the meaning of the star in them."""
    parts = []
    for name, of in tasks.items():
        head = textwrap.fill(heading(name, of, recipe), _WIDTH - 1, break_long_words=False)
        parts.append(f"{head}\n\n{_text(of)}")
    return "\n\n".join([*parts, tie_note(tasks)])


def html_tables(tasks: Tasks, recipe: Recipe) -> str:
    """The same as HTML."""
    tables = [
        html_table(translated(rows_of(of)), _RIGHT, heading(name, of, recipe))
        for name, of in tasks.items()
    ]
    return f"{''.join(tables)}<p>{tie_note(tasks)}</p>"


def heading(task: str, entries: Sequence[Entry], recipe: Recipe) -> str:
    """What was measured, and the value of a guess."""
    if "train_accuracy" not in entries[0].rows[0]["curves"] and not entries[0].accuracy.values:
        kind = say("squared error")
    else:
        kind = say("cross entropy")
    return say(
        "{task}: {kind} on held-out data (a guess: {guess:.3g}), {epochs} x {batches} steps, "
        "{seeds}",
        task=say(task),
        kind=kind,
        guess=entries[0].baseline,
        epochs=recipe.epochs,
        batches=recipe.batches,
        seeds=seeds_in_words(len(entries[0].rows)),
    )


def seeds_in_words(count: int) -> str:
    """1 seed, 2 seeds."""
    return say("1 seed") if count == 1 else say("{count} seeds", count=count)


def tie_note(tasks: Tasks) -> str:
    """The meaning of the star."""
    if any(len(entry.rows) > 1 for of in tasks.values() for entry in of):
        return say("* the best, and those that its spread over the seeds does not separate from it")
    return say("* the best; a single seed says nothing about the spread")


def rows_of(entries: Sequence[Entry]) -> list[list[str]]:
    """The head, then a row for each cell; empty columns are omitted."""
    best = {entry.cell for entry in leaders(entries)}
    rows = [list(HEAD)]
    for entry in entries:
        star = "* " if entry.cell in best else "  "
        matched = entry.target is not None and entry.distance
        rows.append(
            [
                f"{star}{entry.cell}",
                str(entry.hidden_size),
                f"{entry.parameters:,}",
                f"{entry.distance:+.1%}" if matched else "",
                _loss(entry),
                _percent(entry.accuracy),
                f"{ms:.2f}" if math.isfinite(ms := entry.step_seconds * 1e3) else "",
            ]
        )
    kept = [n for n in range(len(HEAD)) if any(row[n] for row in rows[1:])]
    return [[row[n] for n in kept] for row in rows]


def translated(rows: list[list[str]]) -> list[list[str]]:
    """The rows with their head in the language in force: for HTML, where columns keep aligned."""
    return [[say(name) for name in rows[0]], *rows[1:]]


def _text(entries: Sequence[Entry]) -> str:
    rows = rows_of(entries)
    rest = sum(max(map(len, column)) + 2 for column in list(zip(*rows))[1:])
    room = max(_WIDTH - 1 - rest, 8)
    short = [[_cut(row[0], room), *row[1:]] for row in rows]
    return text_table(short, _RIGHT)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _loss(entry: Entry) -> str:
    shown = _pair(entry.loss, 1.0, "") if entry.loss.values else ""
    if entry.diverged:
        shown += f" ({entry.diverged} diverged)" if shown else "diverged"
    return shown


def _percent(spread: Spread) -> str:
    return _pair(spread, 100.0, " %") if spread.values else ""


def _pair(spread: Spread, scale: float, unit: str) -> str:
    """Mean and spread, with as many digits as fit."""
    mean, several = spread.mean * scale, len(spread.values) > 1
    digits = 1 if unit else 4 if abs(mean) < 1 else 3
    if not unit and 0 < abs(mean) < 1e-3:
        return f"{mean:.1e}" + (f" ±{spread.std:.0e}" if several else "")
    if abs(mean) >= 1000:
        return f"{mean:.2g}"
    return f"{mean:.{digits}f}" + (f" ±{spread.std * scale:.{digits}f}" if several else "") + unit
