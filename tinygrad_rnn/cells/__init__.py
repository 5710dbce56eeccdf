"""Published cells, one short file each, in folders by family.

Each docstring gives the equations, the paper, and the initial values of the parameters. The
classical cells are in `tg.nn`: RNN, LSTM, GRU. A family's `__init__` is the only place that lists
its cells.
"""

from . import dynamical, gated, lstm, memory, orthogonal, parallel, state_space, timed, wrappers
from .discovery import discover
from .dynamical import *  # noqa: F403
from .gated import *  # noqa: F403
from .lstm import *  # noqa: F403
from .memory import *  # noqa: F403
from .orthogonal import *  # noqa: F403
from .parallel import *  # noqa: F403
from .published import PublishedCell
from .state_space import *  # noqa: F403
from .timed import *  # noqa: F403

__all__ = ["PublishedCell", "discover", "wrappers"]
__all__ += dynamical.__all__
__all__ += gated.__all__
__all__ += lstm.__all__
__all__ += memory.__all__
__all__ += orthogonal.__all__
__all__ += parallel.__all__
__all__ += state_space.__all__
__all__ += timed.__all__
