"""The folder of a run of the name classifier: its configuration, and a part for each cell."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Vocabulary, pad
from ...files import write_file
from ...serialization import CheckpointError, load
from ..history import History
from ..run import CHECKPOINT_FILE, Run, RunError, checkpoints_in
from .classifier import CellMaker, Classifier
from .corpus import Corpus
from .settings import Settings

__all__ = ["NamesRun", "RunConfig", "Trained"]

_CONFIG_FILE = "run.json"
_TASK = "classify sequences of letters"


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run: the folder of names (None: the bundled ones), cells, settings.

    It is written once, when the run begins, so that the run can be resumed from its folder alone.

    >>> import tempfile
    >>> config = RunConfig(None, ("rnn", "lstm"), Settings(hidden_size=8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     config.write(folder)
    ...     RunConfig.read(folder) == config
    True
    """

    data: str | None
    cells: tuple[str, ...]
    settings: Settings

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write it into the folder of the run."""
        config = {"task": _TASK, **asdict(self)}
        write_file(Path(folder) / _CONFIG_FILE, json.dumps(config, indent=2) + "\n")

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> RunConfig:
        """Read it again; RunError if the folder holds no run of the name classifier."""
        path = Path(folder) / _CONFIG_FILE
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            return cls(config["data"], tuple(config["cells"]), Settings.of(config["settings"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            raise RunError(
                f"{str(folder)!r} holds no run to go on with: {path} ({reason})"
            ) from None


@dataclass
class NamesRun:
    """A run that is under way: a `Run` for each of its cells, in a folder of its own.

    `histories`: what was measured, by cell.

    >>> import tempfile
    >>> from tinygrad_rnn.data import load_names
    >>> from tinygrad_rnn.nn import RNNCell
    >>> from tinygrad_rnn.training.names import build, train_names
    >>> settings = Settings(hidden_size=4, epochs=1, batch_size=2000)
    >>> corpus = Corpus.of(load_names())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = NamesRun(Path(folder), corpus, settings)
    ...     model = build(RNNCell, corpus, settings)
    ...     _ = train_names(model, corpus, settings, run=run.part("rnn"))
    ...     trained = Trained.load(folder)
    >>> trained.best, trained.settings.hidden_size
    ('rnn', 4)
    """

    folder: Path
    corpus: Corpus
    settings: Settings
    resume: bool = False
    histories: dict[str, History] = field(default_factory=dict)

    def part(self, cell: str) -> Run:
        """Where the training of one cell is committed to."""
        # The path of the checkpoint alone tells all that `predict` needs to build the model.
        about = {
            "task": _TASK,
            "cell": cell,
            "classes": list(self.corpus.classes),
            "letters": self.corpus.vocabulary.letters,
            "names": _digest(self.corpus),
            "settings": asdict(self.settings),
        }
        name = re.sub(r"[^\w.-]", "-", cell)  # `my_file.py:MyCell` is no name on every system
        return Run(self.folder / name, resume=self.resume, about=about)


@dataclass(frozen=True, eq=False)
class Trained:
    """The models of a run, read back.

    `histories`: what was measured of each cell; `accuracies`: of each cell, on held-out names.

    >>> Trained.load("no/such/run")
    Traceback (most recent call last):
        ...
    tinygrad_rnn.serialization.CheckpointError: no run 'no/such/run': there is no such \
folder or file
    """

    path: Path
    classes: tuple[str, ...]
    vocabulary: Vocabulary
    settings: Settings
    histories: dict[str, History]
    _states: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> Trained:
        """Read a run's folder, that of one of its cells, or a checkpoint.

        CheckpointError says what is wrong with it.
        """
        path = Path(run)
        if not path.exists():
            raise CheckpointError(f"no run {str(path)!r}: there is no such folder or file")
        files = checkpoints_in(path) if path.is_dir() else [path]
        if not files:
            raise CheckpointError(
                f"{str(path)!r} holds no trained model: there is no {CHECKPOINT_FILE} in it"
            )
        return cls._of(path, files)

    @classmethod
    def _of(cls, path: Path, files: Iterable[Path]) -> Trained:
        histories, states, metadata = {}, {}, []
        for file in files:
            saved = load(file)
            try:
                about = dict(saved["about"])
                cell = str(about.pop("cell"))
                histories[cell], states[cell] = History(saved["history"]), dict(saved["model"])
                float(histories[cell][-1]["val_accuracy"])
                metadata.append(about)
                found = cls(
                    path=path,
                    classes=tuple(map(str, about["classes"])),
                    vocabulary=Vocabulary(about["letters"]),
                    settings=Settings.of(about["settings"]),
                    histories=histories,
                    _states=states,
                )
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise _not_a_run(file, error) from None
            if about != metadata[0]:
                raise CheckpointError(f"{str(path)!r} holds models of several runs: name one")
        return found

    @property
    def accuracies(self) -> dict[str, float]:
        """The share of right names among those held out, after the last epoch of each cell."""
        return {cell: history[-1]["val_accuracy"] for cell, history in self.histories.items()}

    @property
    def best(self) -> str:
        """The cell that was the most accurate on held-out names."""
        return max(self.accuracies, key=self.accuracies.__getitem__)

    def model(self, cell: str, make_cell: CellMaker) -> Classifier:
        """The network of `cell`, built anew around `make_cell` and given its weights.

        CheckpointError if the run holds no such cell, or its weights do not fit.
        """
        if cell not in self._states:
            held = ", ".join(self._states)
            raise CheckpointError(f"{str(self.path)!r} holds no cell {cell!r}; it holds: {held}")
        try:
            model = Classifier(make_cell, len(self.vocabulary), len(self.classes), self.settings)
            model.load_state_dict(self._states[cell])
        except ValueError as error:
            raise _not_a_run(self.path, error) from None
        return model.eval()

    def encode(self, name: str) -> npt.NDArray[np.int64]:
        """The codes of the letters of `name`; DataError for a letter that the model never saw."""
        return self.vocabulary.encode(name)

    def rank(self, model: Classifier, codes: npt.NDArray[np.int64]) -> list[tuple[str, float]]:
        """All classes with their probabilities, the most probable first."""
        probabilities = model.probabilities(*pad([codes]))[0]
        order = np.argsort(-probabilities, kind="stable")
        return [(self.classes[index], float(probabilities[index])) for index in order]


def _digest(corpus: Corpus) -> str:
    """What tells two sets of names apart, and how they are split."""
    names = [corpus.train.names, corpus.held_out.names]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _not_a_run(path: Path, error: Exception) -> CheckpointError:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return CheckpointError(
        f"{str(path)!r} does not hold the models of a training run, or not of this version "
        f"({reason})"
    )
