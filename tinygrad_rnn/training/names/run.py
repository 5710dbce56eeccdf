"""A run's folder: the models of all its cells in one file, and what was measured."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Vocabulary, pad
from ...files import write_file
from ...serialization import CheckpointError, load, save
from ..history import History
from .classifier import CellMaker, Classifier
from .corpus import Corpus
from .settings import Settings

__all__ = ["METRICS_FILE", "MODEL_FILE", "Recorder", "Trained"]

MODEL_FILE = "model.safetensors"
METRICS_FILE = "metrics.jsonl"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass
class Recorder:
    """Writes the model file and the metrics of a run, whole files only, after each epoch.

    `folder` must be there. `epochs`: what was recorded, by cell. OSError if it cannot write.

    >>> import tempfile
    >>> from tinygrad_rnn.data import load_names
    >>> from tinygrad_rnn.nn import RNNCell
    >>> from tinygrad_rnn.training.names import build, train_names
    >>> settings = Settings(hidden_size=4, epochs=1, batch_size=2000)
    >>> corpus = Corpus.of(load_names())
    >>> model = build(RNNCell, corpus, settings)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recorder = Recorder(Path(folder), corpus, settings)
    ...     recorder.record("rnn", model, train_names(model, corpus, settings))
    ...     trained = Trained.load(folder)
    >>> trained.best, trained.settings.hidden_size
    ('rnn', 4)
    """

    folder: Path
    corpus: Corpus
    settings: Settings
    epochs: dict[str, History] = field(default_factory=dict)  # of each cell
    _arrays: Arrays = field(default_factory=dict)

    def record(self, cell: str, model: Classifier, history: History) -> None:
        """Keep the model of `cell` as it is now, beside those of the other cells."""
        self.epochs[cell] = history
        self._arrays |= {f"{cell}/{name}": a for name, a in model.state_dict().items()}
        save({"arrays": self._arrays, "about": self._description()}, self.folder / MODEL_FILE)
        write_file(self.folder / METRICS_FILE, self._metrics())

    def _metrics(self) -> str:
        lines = [{"cell": c, **row} for c, history in self.epochs.items() for row in history]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def _description(self) -> dict[str, Any]:
        # No times and no paths: the same seed gives the same file.
        return {
            "task": "classify sequences of letters",
            "classes": list(self.corpus.classes),
            "letters": self.corpus.vocabulary.letters,
            "settings": asdict(self.settings),
            "cells": {
                cell: {"epochs": len(history), "val_accuracy": history[-1]["val_accuracy"]}
                for cell, history in self.epochs.items()
            },
        }


@dataclass(frozen=True, eq=False)
class Trained:
    """The models of a run, read back.

    `accuracies`: of each cell, on held-out names.

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
    accuracies: dict[str, float]
    _arrays: Arrays

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> Trained:
        """Read a run's folder, or its model file. CheckpointError says what is wrong with it."""
        path = Path(run)
        if not path.exists():
            raise CheckpointError(f"no run {str(path)!r}: there is no such folder or file")
        path = path / MODEL_FILE if path.is_dir() else path
        saved = load(path)
        try:
            arrays, description = saved["arrays"], saved["about"]
            return cls(
                path=path,
                classes=tuple(map(str, description["classes"])),
                vocabulary=Vocabulary(description["letters"]),
                settings=Settings.of(description["settings"]),
                accuracies={
                    cell: float(at["val_accuracy"]) for cell, at in description["cells"].items()
                },
                _arrays=arrays,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_a_run(path, error) from None

    @property
    def best(self) -> str:
        """The cell that was the most accurate on held-out names."""
        return max(self.accuracies, key=self.accuracies.__getitem__)

    def model(self, cell: str, make_cell: CellMaker) -> Classifier:
        """The network of `cell`, built anew around `make_cell` and given its weights.

        CheckpointError if the file holds no such cell, or its weights do not fit.
        """
        if cell not in self.accuracies:
            held = ", ".join(self.accuracies)
            raise CheckpointError(f"{str(self.path)!r} holds no cell {cell!r}; it holds: {held}")
        prefix = f"{cell}/"
        state = {
            name.removeprefix(prefix): array
            for name, array in self._arrays.items()
            if name.startswith(prefix)
        }
        try:
            model = Classifier(make_cell, len(self.vocabulary), len(self.classes), self.settings)
            model.load_state_dict(state)
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


def _not_a_run(path: Path, error: Exception) -> CheckpointError:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return CheckpointError(
        f"{str(path)!r} does not hold the models of a training run, or not of this version "
        f"({reason})"
    )
