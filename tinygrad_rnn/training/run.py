"""The folder of a run: its checkpoint, and resuming from it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import TinygradRnnError
from ..files import lock_folder, remove_leftovers, write_file
from ..serialization import CheckpointError, load, save
from .environment import differences, environment
from .history import History
from .loop import Training

__all__ = [
    "CHECKPOINT_FILE",
    "METRICS_FILE",
    "ResumeWarning",
    "Run",
    "RunError",
    "checkpoints_in",
]

CHECKPOINT_FILE = "checkpoint.safetensors"
METRICS_FILE = "metrics.jsonl"
_ENTRIES = {"about", "model", "history", "training", "setup", "environment"}


class RunError(TinygradRnnError, ValueError):
    """Raised if a run cannot be started or resumed as requested; the message says why.

    >>> issubclass(RunError, ValueError)
    True
    """


class ResumeWarning(UserWarning):
    """A run resumes where identical results are not guaranteed: another machine, version, ...

    >>> issubclass(ResumeWarning, UserWarning)
    True
    """


class Run:
    """A folder that training is saved to after each epoch, so that it can be resumed.

    `folder` is created if it does not exist. With `resume`, `fit` continues from the last commit if
    there is one, and otherwise starts; without it, a folder that holds a run is an error. `about`:
    further information about the run, a dict as `tg.save` takes it. `every`: also commit after this
    many steps, for long epochs.

    The folder holds `checkpoint.safetensors`: everything that the rest of the training depends on,
    with the model's weights under `"model"` (`tg.load(...)["model"]`), and the history. It is
    replaced atomically, and this is the only commit point: if the process is killed at any time,
    the last commit is intact. `metrics.jsonl` is derived from it, one line per epoch, and never
    disagrees with the checkpoint; after a kill it may be missing until the run is resumed.

    With the same machine, versions, executor and threads, a run that was killed and resumed ends
    with the same bits as an uninterrupted one; `ResumeWarning` says if one of these differs.

    >>> import tempfile, tinygrad_rnn as tg
    >>> from tinygrad_rnn.data import Windows
    >>> def train(epochs, resume=False):
    ...     tg.manual_seed(0)
    ...     model = tg.nn.Linear(1, 1)
    ...     data = Windows([1.0, 2.0, 3.0, 4.0], 1, batch_size=1, generator=0)
    ...     return tg.training.fit(
    ...         model, lambda model, batch: tg.nn.mse_loss(model(batch.inputs), batch.targets),
    ...         data, epochs=epochs, optimizer=tg.optim.Adam(model.parameters()),
    ...         run=Run(folder, resume=resume), progress=False,
    ...     )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = train(epochs=2)
    ...     whole = train(epochs=3, resume=True)
    >>> len(whole), whole[1] == first[1]
    (3, True)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        resume: bool = False,
        about: Mapping[str, Any] | None = None,
        every: int | None = None,
    ) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every is {every}, but must be at least 1 step")
        self.folder, self.resume, self.every = Path(folder), resume, every
        self.about = dict(about or {})
        self.trainings: dict[str, Training] = {}  # what was trained, by the name of the part
        self._part = ""
        self._setup: dict[str, Any] = {}
        self._lock: int | None = None

    @classmethod
    def of(cls, run: Run | str | os.PathLike[str] | None) -> Run:
        """A Run unchanged, a folder as a new Run, None as one that saves nothing."""
        if run is None:
            return _NoRun()
        return run if isinstance(run, Run) else cls(run)

    def part(self, name: str, about: Mapping[str, Any] | None = None) -> Run:
        """A run in a subfolder: for an experiment of several trainings.

        >>> Run("runs/words").part("lstm").folder.as_posix()
        'runs/words/lstm'
        """
        part = Run(self.folder / name, resume=self.resume, about=about, every=self.every)
        part.trainings = self.trainings
        part._part = f"{self._part}/{name}" if self._part else name
        return part

    @property
    def checkpoint(self) -> Path:
        """The file that holds the last commit."""
        return self.folder / CHECKPOINT_FILE

    def history(self) -> History:
        """The metrics up to the last commit; CheckpointError if there is none."""
        return History(load(self.checkpoint)["history"])

    # What `fit` calls, in this order

    def __enter__(self) -> Run:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = lock_folder(self.folder)
        except BlockingIOError:
            raise RunError(
                f"another process is training in {str(self.folder)!r} right now"
            ) from None
        remove_leftovers(self.folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def begin(self, training: Training) -> None:
        """Inspect the folder, and continue from its checkpoint if requested."""
        if not (hasattr(training.data, "state_dict") and hasattr(training.data, "load_state_dict")):
            raise TypeError(
                f"data is {type(training.data).__name__}, which has no state_dict and "
                "load_state_dict: a run could not find its place in it again. Those of "
                "tinygrad_rnn.data have them; or leave out run="
            )
        self._setup = {**training.setup(), "about": self.about}
        self.trainings[self._part] = training
        if not self.checkpoint.exists():
            return
        if not self.resume:
            raise RunError(
                f"{str(self.folder)!r} holds a run already: choose another folder, or go on with "
                f"run=Run({str(self.folder)!r}, resume=True)"
            )
        state = load(self.checkpoint)
        if set(state) != _ENTRIES:
            raise CheckpointError(
                f"{str(self.checkpoint)!r} is no checkpoint of a run, or one of another version: "
                f"it holds {', '.join(map(str, state)) or 'nothing'}"
            )
        changed = list(_changes(state["setup"], self._setup))
        if changed:
            raise RunError(
                f"the run in {str(self.folder)!r} cannot be resumed; what differs: "
                + "; ".join(changed)
            )
        moved = differences(state["environment"], environment())
        if moved:
            warnings.warn(
                f"the run in {str(self.folder)!r} goes on under other conditions, so that its last "
                "bits may not be those of a run that was never stopped: " + "; ".join(moved),
                ResumeWarning,
                stacklevel=3,
            )
        shared = {"model": state["model"], "history": state["history"]}
        training.load_state_dict({**state["training"], **shared})
        self._write_metrics(training.history)

    def commit_between_epochs(self, training: Training) -> None:
        """Commit within an epoch, after every `every` steps."""
        if self.every is not None and training.step % self.every == 0:
            self._save(training)

    def commit(self, training: Training) -> None:
        """Commit a completed epoch, and write its metrics."""
        # What is made from the old checkpoint goes first: it is never beside a newer one.
        (self.folder / METRICS_FILE).unlink(missing_ok=True)
        self._save(training)
        self._write_metrics(training.history)

    def _save(self, training: Training) -> None:
        """Write the checkpoint: here, and nowhere else, the run moves on."""
        state = training.state_dict()
        saved = {
            "about": self.about,
            "model": state.pop("model"),
            "history": state.pop("history"),
            "training": state,
            "setup": self._setup,
            "environment": environment(),
        }
        save(saved, self.checkpoint)

    def _write_metrics(self, history: History) -> None:
        write_file(self.folder / METRICS_FILE, history.json_lines())


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of the run in `folder` and of its parts, in the order of their names."""
    return sorted(folder.rglob(CHECKPOINT_FILE))


class _NoRun(Run):
    """A run that saves nothing."""

    def __init__(self) -> None:
        super().__init__(os.devnull)

    def __enter__(self) -> Run:
        return self

    def begin(self, training: Training) -> None:
        """Nothing is there."""

    def commit(self, training: Training) -> None:
        """Nothing is kept."""


def _changes(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Descriptions of where two nests of dicts and lists differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*before, *now]):
            inner = f"{place} {name}".strip()
            yield from _changes(before.get(name), now.get(name), inner)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for pair in zip(before, now):
            yield from _changes(*pair, place)
    elif before != now:
        yield f"{place} is {now}, was {before}"
