"""compare: every cell on every task with every seed; its result is a Comparison."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeAlias

from .. import ops
from ..compiler.backends.executor import get_executor
from ..data.tasks import Task
from ..engine.dtypes import get_default_dtype
from ..training.environment import environment
from ..training.progress import new_bar
from .engines import here, in_processes, on_dask
from .entries import Entry
from .jobs import Job, Recipe, Row
from .network import Answers, CellMaker
from .results import Results
from .run import TaskMaker, reproducible
from .sizes import nearest_size, parameters
from .subjects import ComparisonError, Subject, cells_of, tasks_of
from .table import html_tables, text_tables

__all__ = ["Comparison", "Match", "compare"]

Match: TypeAlias = Literal["parameters", "hidden"] | None


class Comparison:
    """The result of `compare`: an `Entry` for each task and cell, a row for each run.

    Printed, or as the last line of a notebook's cell, it is a table for each task.

    >>> found = compare(["rnn", "gru"], ["parity"], seeds=2, hidden_size=4, epochs=1, batches=2,
    ...     steps=5, progress=False)
    >>> [(row["cell"], row["seed"]) for row in found.rows]
    [('rnn', 0), ('rnn', 1), ('gru', 0), ('gru', 1)]
    >>> found.entries[1].parameters, found.entries[1].hidden_size
    (36, 2)
    """

    def __init__(self, entries: Sequence[Entry], recipe: Recipe, match: Match) -> None:
        self.entries, self.recipe, self.match = list(entries), recipe, match

    @property
    def rows(self) -> list[Row]:
        """All runs, by task, cell and seed, as in the lines of the file of results."""
        return [row for entry in self.entries for row in entry.rows]

    @property
    def cells(self) -> list[str]:
        """The names of the cells, in the order in which they were given."""
        return list(dict.fromkeys(entry.cell for entry in self.entries))

    @property
    def tasks(self) -> dict[str, list[Entry]]:
        """The entries by task."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.task, []).append(entry)
        return found

    def table(self) -> str:
        """A table of text for each task, 80 columns wide."""
        return text_tables(self.tasks, self.recipe)

    def report(self, path: str | os.PathLike[str], title: str = "Comparison") -> Path:
        """Write it as a page: tables, learning curves, gradient flow, speed. It needs no network.

        OSError if it cannot be written.
        """
        from .report import write  # pictures are slow to import

        return write(self, path, title)

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return html_tables(self.tasks, self.recipe)


def compare(
    cells: Sequence[str | CellMaker] | Mapping[str, str | CellMaker],
    tasks: Sequence[str | TaskMaker] | Mapping[str, str | TaskMaker] = ("adding",),
    *,
    seeds: int | Iterable[int] = 3,
    match: Match = "parameters",
    hidden_size: int = 32,
    epochs: int = 10,
    batches: int = 50,
    batch_size: int = 32,
    steps: int | None = None,
    learning_rate: float = 0.01,
    clip: float = 1.0,
    folder: str | os.PathLike[str] | None = None,
    again: bool = False,
    workers: int = 1,
    dask: str | None = None,
    progress: bool = True,
) -> Comparison:
    """Train every cell on every task with every seed, and compare the results.

    `cells`: names, such as "lstm", "mogrifierlstm,rounds=3" or "my_file.py:MyCell"; classes or
    functions of (input_size, hidden_size); or a mapping from your own names to these. `tasks`:
    names, such as "adding" or "my_file.py:my_task", functions of `data.tasks`, or a mapping.
    `seeds`: their number, counted from 0, or the seeds.

    `match`: "parameters" gives each cell the hidden size whose number of parameters is nearest to
    that of the first cell with `hidden_size`; "hidden" gives all `hidden_size`; with None each cell
    has the size in its name, "lstm,hidden_size=20", or `hidden_size`.

    Each run is `epochs` times `batches` steps of Adam on `batch_size` sequences of `steps` steps
    (None: the task's length), as in `learn`. Sizes that a task does not take are ignored. After
    each epoch the loss on held-out sequences is measured, the same ones for all cells.

    `folder`: write a line of JSON for each finished run there. Runs that are already in the folder
    are not repeated: an interrupted comparison continues, and one with more cells, tasks or seeds
    runs only the new ones. ComparisonError if they were made with other settings, or if the code of
    a cell has changed; `again` repeats those.

    `workers`: spread the runs over this many processes; in a script, under `if __name__ ==
    "__main__":`. `dask`: the address of a Dask cluster's scheduler, to spread them over machines.
    The rows are bitwise the same, except the times. `progress`: show a progress bar, and a line for
    each run, on stderr.

    ComparisonError, TypeError, ValueError or `UserCodeError` for something that cannot be compared.
    They are raised before any training: each cell first takes one step on each task.

    >>> found = compare(["lstm", "mingru"], ["adding"], seeds=2, hidden_size=8, epochs=2,
    ...     batches=10, steps=10, progress=False)
    >>> for entry in found.entries:
    ...     print(entry.cell, entry.hidden_size, entry.parameters, f"{entry.distance:+.1%}")
    lstm 8 393 +0.0%
    mingru 56 393 +0.0%
    """
    if match not in ("parameters", "hidden", None):
        raise ComparisonError(f"match is {match!r}, but must be 'parameters', 'hidden' or None")
    if workers < 1:
        raise ComparisonError(f"workers is {workers}, but must be at least 1")
    if hidden_size < 1:
        raise ComparisonError(f"hidden_size is {hidden_size}, but must be at least 1")
    recipe = Recipe(epochs, batches, batch_size, steps, learning_rate, clip)
    chosen = list(range(seeds) if isinstance(seeds, int) else seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ComparisonError(
            f"the seeds are {chosen}, but must be at least one seed, without repetition"
        )
    jobs, entries = [], []
    for task in tasks_of(tasks):
        for cell, size, number, target, baseline in _sized(
            cells_of(cells), task, recipe, match, hidden_size
        ):
            entries.append((task, cell, size, number, target, baseline))
            jobs += [_job(cell, task, seed, size, recipe) for seed in chosen]
    jobs.sort(
        key=lambda job: chosen.index(job.seed)
    )  # so that an interrupted comparison has all cells
    with Results(folder) as results:
        _tell(results.dropped, progress)
        missing = results.missing(jobs, again)
        _done(results, missing, len(jobs), workers, dask, progress)
        return Comparison(
            [
                Entry(
                    task.name,
                    cell.name,
                    size,
                    number,
                    target,
                    baseline,
                    [results.rows[task.name, cell.name, seed] for seed in chosen],
                )
                for task, cell, size, number, target, baseline in entries
            ],
            recipe,
            match,
        )


def _sized(
    cells: Sequence[Subject], task: Subject, recipe: Recipe, match: Match, hidden_size: int
) -> Iterator[tuple[Subject, int, int, int | None, float]]:
    """Each cell with its hidden size, parameters, target number of parameters, and baseline.

    Each cell has taken a step, so that a mismatch is reported before hours of training.
    """
    made: Task = task.make(seed=0, **recipe.of_task)
    target = None
    for place, cell in enumerate(cells):
        own = cell.hidden_size
        if own is not None and (match == "hidden" or (match == "parameters" and place)):
            raise ComparisonError(
                f"{cell.name} has its own hidden size, but match={match!r} chooses one: leave it "
                "out, or use match=None (--match none)"
            )
        size = own or hidden_size
        if target is not None:
            size = nearest_size(cell.make, made, target)
        number = parameters(cell.make, made, size)
        if match == "parameters" and target is None:
            target = number
        _take_a_step(cell, made, size)
        yield cell, size, number, target, made.baseline


def _take_a_step(cell: Subject, task: Task, hidden_size: int) -> None:
    with reproducible(0):
        network = Answers(cell.make(task.input_size, hidden_size), task)
        network.recurrent.unroll = True  # compiling is not worth it for a step or two
        batch = next(iter(task.held_out))
        further = {name: array[:2, :2] for name, array in batch.further.items()}
        try:
            ops.sum(network(batch.inputs[:2, :2], further)).backward()
        except (TypeError, ValueError, AttributeError) as error:
            raise ComparisonError(
                f"{cell.name} on {task.name}: {type(error).__name__}: {error}"
            ) from error


def _job(cell: Subject, task: Subject, seed: int, hidden_size: int, recipe: Recipe) -> Job:
    here = environment()
    dtype = str(get_default_dtype())
    return Job(cell, task, seed, hidden_size, recipe, get_executor(), dtype, here["tinygrad_rnn"])


def _done(
    results: Results, jobs: list[Job], total: int, workers: int, dask: str | None, progress: bool
) -> None:
    """Do the jobs, and store each result as soon as it arrives."""
    if not jobs:
        return
    # tqdm shows `None` for a file: no bar; a line for each run is printed in any case.
    bar = new_bar(
        total=total,
        initial=total - len(jobs),
        unit="run",
        disable=None if progress else True,
        bar_format="{l_bar}{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]",
        leave=False,
    )
    progressed: Callable[[float], object] = bar.update
    if dask is not None:
        rows = on_dask(jobs, progressed, dask)
    elif workers > 1:
        rows = in_processes(jobs, progressed, min(workers, len(jobs)))
    else:
        rows = here(jobs, progressed)
    with bar, closing(rows):
        for row in rows:
            results.add(row)
            if progress:
                bar.write(_line(row), file=sys.stderr)


def _line(row: Row) -> str:
    shown = "diverged" if row["loss"] is None else f"loss {row['loss']:.4g}"
    if row["accuracy"] is not None:
        shown += f"  accuracy {row['accuracy']:.1%}"
    name = f"{row['task']}  {row['cell']}  seed {row['seed']}"
    return f"{name:<40}  {shown}  {row['seconds']:.1f} s"[:79]


def _tell(message: str, progress: bool) -> None:
    if message and progress:
        print(message, file=sys.stderr)
