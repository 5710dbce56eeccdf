"""Parameter: a Tensor that a Module learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine.dtypes import get_default_dtype, is_floating
from ..engine.recording.mode import current_mode
from ..engine.recording.scope import callers_line
from ..engine.tensor import Tensor, tensor

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A Tensor that a Module learns: it requires a gradient and is listed by `parameters()`.

    `data`: what `tg.tensor` takes; copied. Unless `dtype` is given, floating-point data is cast to
    the default dtype (float32). This includes NumPy's float64, so `nn.Parameter(np.zeros(n))` does
    not make a network compute in float64. TypeError for data that is not floating point,
    RuntimeError inside a step of a recurrent network, which would begin with a new one each time.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> tg.nn.Parameter([1.0])
    tensor([1.], dtype=float32, requires_grad=True)
    >>> tg.nn.Parameter(np.zeros(2)).dtype, tg.nn.Parameter(np.zeros(2), "float64").dtype
    (dtype('float32'), dtype('float64'))
    """

    __slots__ = ()

    def __new__(
        cls, data: Any = (), dtype: npt.DTypeLike | None = None, requires_grad: bool = True
    ) -> Parameter:
        """See `Parameter`."""
        place = current_mode().scope
        if place is not None and place.step is not None:
            raise RuntimeError(
                f"a Parameter is made in a step of a recurrent network, at {callers_line()} "
                f"({place}): each step would begin with a new one, which no optimiser knows and "
                "nothing saves. Make it, or the Module that holds it, in the cell's __init__: "
                "self.weight = nn.Parameter(...)"
            )
        array = tensor(data, dtype)._data
        if dtype is None and is_floating(array):
            array = array.astype(get_default_dtype(), copy=False)
        made = cls.of(array)
        made.requires_grad_(requires_grad)
        return made
