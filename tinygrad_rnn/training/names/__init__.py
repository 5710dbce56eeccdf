"""The name classifier: networks that find the class of a name. One user of `training.fit`.

`settings`: the options of a run; `corpus`: its data; `classifier`: the network; `task`: its loss
and its training; `run`: the saved results.

>>> from tinygrad_rnn.data import load_names
>>> from tinygrad_rnn.nn import RNNCell
>>> settings = Settings(hidden_size=4, epochs=1, batch_size=1000)
>>> corpus = Corpus.of(load_names(), settings.seed)
>>> history = train_names(build(RNNCell, corpus, settings), corpus, settings)
>>> len(history)
1
"""

from .classifier import Classifier
from .corpus import Corpus, Part
from .run import NamesRun, RunConfig, Trained
from .settings import Settings, SettingsError
from .task import batches_of, build, measure, names_loss, task, train_names

__all__ = [
    "Classifier",
    "Corpus",
    "NamesRun",
    "Part",
    "RunConfig",
    "Settings",
    "SettingsError",
    "Trained",
    "batches_of",
    "build",
    "measure",
    "names_loss",
    "task",
    "train_names",
]
