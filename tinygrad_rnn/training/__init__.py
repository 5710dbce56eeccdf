"""Training of any model: `fit`, its metrics, and runs that can be resumed.

Read `fitting.py` first, then `loop.py`: the training loop, on one page. `callbacks` has early
stopping and the like; `run` is the folder that training is saved to; `names` is the name
classifier, one user of `fit`.

>>> import tinygrad_rnn as tg
>>> x = tg.nn.Parameter([4.0])
>>> history = fit(
...     tg.nn.Module(), lambda model, batch: (x * x).sum(), ["a batch"], epochs=2,
...     optimizer=tg.optim.SGD([x], lr=0.25), progress=False,
... )
>>> history["train_loss"]
[16.0, 4.0]
"""

from . import names, through_time
from .callbacks import EachEpoch, EarlyStopping, KeepBest
from .fitting import fit
from .history import History
from .loop import Callback, Training, evaluate
from .observing import Observe
from .progress import Progress
from .run import ResumeWarning, Run, RunError
from .spread import Spread, over_seeds
from .watch import TrainingError

__all__ = [
    "Callback",
    "EachEpoch",
    "EarlyStopping",
    "History",
    "KeepBest",
    "Observe",
    "Progress",
    "ResumeWarning",
    "Run",
    "RunError",
    "Spread",
    "Training",
    "TrainingError",
    "evaluate",
    "fit",
    "names",
    "over_seeds",
    "through_time",
]
