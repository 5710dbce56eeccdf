"""Linear recurrent unit (Orvieto et al. 2023)."""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, uniform

__all__ = ["LRUCell"]

Pair = tuple[Tensor, Tensor]


class LRUCell(Cell):
    """A normalised diagonal complex linear recurrence, stable by its parametrisation.

    s_t = lambda * s_{t-1} + gamma * (B x_t)                   section 3.4
    y_t = Re(C s_t) + D x_t                                    section 2.1
    lambda = exp(-exp(nu) + i exp(theta))                      so |lambda| < 1 (section 3.3)
    gamma = exp(gamma_log)                                     starts at sqrt(1 - |lambda|^2)

    Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu & De 2023, "Resurrecting Recurrent Neural
    Networks for Long Sequences", ICML, arXiv:2303.06349. `hidden_size` H: the size of y;
    `state_size` N: the size of the complex state, H by default. Complex numbers are pairs of reals,
    real part first: the state is two Tensors (B, N), weight_ih B (2N, I), weight_ho C (2, H, N),
    weight_io D (H, I). |lambda| starts uniform on the ring from `r_min` to `r_max`, its phase in 0
    .. `max_phase` (Lemma 3.2); B, C and D are normal, with variance 1 / (2 I), 1 / N and 1 / I.
    (The authors' listing has D as a diagonal, for layers with as many outputs as inputs.) The step
    is affine in its state.

    >>> import tinygrad_rnn as tg
    >>> outputs, [state] = tg.nn.Recurrent(tg.cells.LRUCell(3, 4, state_size=8))(tg.zeros(5, 2, 3))
    >>> outputs.shape, state[0].shape
    ((5, 2, 4), (2, 8))
    """

    claims = (Affine(),)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        state_size: int | None = None,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.state_size = state_size or hidden_size
        n = self.state_size
        ring = 0.5 + 0.5 * uniform(2, n, bound=1.0).data.astype(float)  # uniform in 0 .. 1
        ring = np.clip(ring, 1e-6, 1 - 1e-6)
        log_radius = 0.5 * np.log(ring[0] * (r_max**2 - r_min**2) + r_min**2)
        self.nu, self.theta, self.gamma_log = (uniform(n, bound=0.0) for _ in range(3))
        self.nu.data[:] = np.log(-log_radius)
        self.theta.data[:] = np.log(max_phase * ring[1])
        self.gamma_log.data[:] = 0.5 * np.log1p(-np.exp(2 * log_radius))
        self.weight_ih = normal(2 * n, input_size, std=(2 * input_size) ** -0.5)
        self.weight_ho = normal(2, hidden_size, n, std=n**-0.5)
        self.weight_io = normal(hidden_size, input_size, std=input_size**-0.5)

    def initial_state(self, batch_size: int) -> Pair:
        """Real and imaginary part: zeros (B, N)."""
        zeros = self.zeros(batch_size, self.state_size)
        return zeros, zeros

    def step(self, x: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """x (B, I) and the state -> y (B, H) and the next state."""
        real, imaginary = state
        radius = ops.exp(-ops.exp(self.nu))
        phase = ops.exp(self.theta)
        lambda_r, lambda_i = radius * ops.cos(phase), radius * ops.sin(phase)
        b_r, b_i = ops.split(linear(x, self.weight_ih), 2, axis=-1)
        gamma = ops.exp(self.gamma_log)
        state = (
            (lambda_r * real - lambda_i * imaginary + gamma * b_r).named("real part"),
            (lambda_i * real + lambda_r * imaginary + gamma * b_i).named("imaginary part"),
        )
        y = linear(state[0], self.weight_ho[0]) - linear(state[1], self.weight_ho[1])
        return (y + linear(x, self.weight_io)).named("y"), state
