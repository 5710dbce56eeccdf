"""Training: a network that tells to which class a name belongs, and the folder of a run.

`settings` what a run is told, `corpus` what it learns from, `classifier` the network, `loop` the
training itself, `run` what is kept of it.

>>> from tinygrad_rnn.data import load_names
>>> from tinygrad_rnn.nn import RNNCell
>>> settings = Settings(hidden_size=4, epochs=1, batch_size=1000)
>>> corpus = Corpus.of(load_names(), settings.seed)
>>> model = build(RNNCell, corpus, settings)
>>> [measured.epoch for measured in fit(model, corpus, settings)]
[1]
"""

from .classifier import Classifier
from .corpus import Corpus, Part
from .loop import Epoch, TrainingError, build, evaluate, fit
from .run import Recorder, Trained
from .settings import Settings, SettingsError

__all__ = [
    "Classifier",
    "Corpus",
    "Epoch",
    "Part",
    "Recorder",
    "Settings",
    "SettingsError",
    "Trained",
    "TrainingError",
    "build",
    "evaluate",
    "fit",
]
