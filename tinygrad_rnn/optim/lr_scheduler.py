"""Learning-rate schedules: each changes `group["lr"]` of an optimiser as training goes on.

`schedule.step()` is called once an epoch (or once a batch: the unit is the caller's), after
`optimizer.step()`. A schedule starts from the learning rates that the optimiser has when the
schedule is constructed, and each step updates the current ones, as in PyTorch: schedules can be
combined.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, SupportsFloat

from .checks import same_names
from .optimizer import Optimizer
from .settings import (
    Check,
    choice,
    count,
    fraction,
    list_of,
    non_negative,
    number,
    one_or_list_of,
    optional,
    positive_count,
)

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "MultiStepLR",
    "ReduceLROnPlateau",
    "StepLR",
]


class _Schedule:
    """The base of all schedules."""

    fields: ClassVar[Mapping[str, Check]] = {"last_epoch": count}  # settings and state
    per_group: ClassVar[str] = ""  # the field which, if it is a list, has one item a group
    last_epoch: int  # how many steps were taken

    def __init__(self, optimizer: Optimizer, **fields: Any) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a schedule needs an Optimizer, not {type(optimizer).__name__}")
        self.optimizer = optimizer
        self._set({"last_epoch": 0, **fields})

    def _set(self, values: Mapping[str, Any]) -> None:
        checked = {name: self.fields[name](name, value) for name, value in values.items()}
        self._check_per_group(checked.get(self.per_group))
        vars(self).update(checked)

    def _check_per_group(self, value: Any) -> None:
        groups = len(self.optimizer.param_groups)
        if isinstance(value, list) and len(value) != groups:
            raise ValueError(f"{len(value)} {self.per_group} for {groups} parameter groups")

    def get_last_lr(self) -> list[float]:
        """The learning rate of each parameter group, as it is now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next steps depend on besides the optimiser: plain Python values.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import optim
        >>> optimizer = optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=0.5)
        >>> optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9).state_dict()
        {'last_epoch': 0, 'base_lrs': [0.5], 'gamma': 0.9}
        """
        values = {name: getattr(self, name) for name in self.fields}
        return {n: list(value) if isinstance(value, list) else value for n, value in values.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned. The learning rates are the optimiser's state.

        Strict: ValueError (TypeError for a value of the wrong kind) if the names or the values are
        not those of such a schedule; nothing is changed then.
        """
        what = f"{type(self).__name__}.load_state_dict: the state_dict"
        same_names(what, state_dict, tuple(self.fields))
        self._set(state_dict)


class LRScheduler(_Schedule):
    """Base of the schedules that depend on time alone; as `torch.optim.lr_scheduler.LRScheduler`.

    A schedule of your own is a subclass with `next_lr`. Attributes: `last_epoch`, the number of
    steps taken, and `base_lrs`, the initial learning rates.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> class WarmUp(optim.lr_scheduler.LRScheduler):
    ...     def next_lr(self, lr, base_lr):
    ...         return lr + base_lr
    >>> optimizer = optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=0.25)
    >>> schedule = WarmUp(optimizer)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    fields: ClassVar[Mapping[str, Check]] = {**_Schedule.fields, "base_lrs": list_of(non_negative)}
    per_group = "base_lrs"
    base_lrs: list[float]

    def __init__(self, optimizer: Optimizer, **fields: Any) -> None:
        super().__init__(optimizer, **fields)
        self.base_lrs = self.get_last_lr()

    def next_lr(self, lr: float, base_lr: float) -> float:
        """The learning rate at step `last_epoch`, given that of the previous step."""
        raise NotImplementedError(f"{type(self).__name__} has no next_lr(lr, base_lr)")

    def step(self) -> None:
        """Set the learning rate of every group to that of the next step."""
        groups = self.optimizer.param_groups
        self.base_lrs += [group["lr"] for group in groups[len(self.base_lrs) :]]  # added since
        self.last_epoch += 1
        for group, base_lr in zip(groups, self.base_lrs):
            group["lr"] = self.next_lr(group["lr"], base_lr)


class StepLR(LRScheduler):
    """Multiply the learning rate by `gamma` every `step_size` steps; as PyTorch's.

    ValueError if `step_size` is below 1 or `gamma` is negative.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> optimizer = optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    fields: ClassVar[Mapping[str, Check]] = {
        **LRScheduler.fields,
        "step_size": positive_count,
        "gamma": non_negative,
    }
    step_size: int
    gamma: float

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer, step_size=step_size, gamma=gamma)

    def next_lr(self, lr: float, base_lr: float) -> float:
        """See `LRScheduler.next_lr`."""
        return lr * self.gamma if self.last_epoch % self.step_size == 0 else lr


class MultiStepLR(LRScheduler):
    """Multiply the learning rate by `gamma` at each of the steps `milestones`; as PyTorch's.

    A repeated milestone counts twice. ValueError if one, or `gamma`, is negative.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> optimizer = optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    fields: ClassVar[Mapping[str, Check]] = {
        **LRScheduler.fields,
        "milestones": list_of(count),
        "gamma": non_negative,
    }
    milestones: list[int]
    gamma: float

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        super().__init__(optimizer, milestones=sorted(milestones), gamma=gamma)

    def next_lr(self, lr: float, base_lr: float) -> float:
        """See `LRScheduler.next_lr`."""
        return float(lr * self.gamma ** self.milestones.count(self.last_epoch))


class ExponentialLR(LRScheduler):
    """Multiply the learning rate by `gamma` at every step; as PyTorch's.

    ValueError if `gamma` is negative.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> optimizer = optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.0625]
    """

    fields: ClassVar[Mapping[str, Check]] = {**LRScheduler.fields, "gamma": non_negative}
    gamma: float

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        super().__init__(optimizer, gamma=gamma)

    def next_lr(self, lr: float, base_lr: float) -> float:
        """See `LRScheduler.next_lr`."""
        return lr * self.gamma


class CosineAnnealingLR(LRScheduler):
    """Half a period of a cosine, from the first learning rate to `eta_min`; as PyTorch's.

        lr_t = eta_min + (lr_0 - eta_min) (1 + cos(pi t / T_max)) / 2

    Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts" (ICLR 2017),
    equation 5, without restarts: after step `T_max` the cosine rises again.

    ValueError if `T_max` is below 1 or `eta_min` is negative.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> optimizer = optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> for _ in range(4):
    ...     schedule.step()
    ...     print(f"{schedule.get_last_lr()[0]:.3f}")
    0.854
    0.500
    0.146
    0.000
    """

    fields: ClassVar[Mapping[str, Check]] = {
        **LRScheduler.fields,
        "T_max": positive_count,
        "eta_min": non_negative,
    }
    T_max: int
    eta_min: float

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer, T_max=T_max, eta_min=eta_min)

    def next_lr(self, lr: float, base_lr: float) -> float:
        """See `LRScheduler.next_lr`."""
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The step before was at the bottom, where the ratio below would be 0 / 0.
            return lr + (base_lr - self.eta_min) * self._height(self.last_epoch)
        ratio = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return self.eta_min + (lr - self.eta_min) * ratio

    def _height(self, step: int) -> float:
        return (1.0 + math.cos(math.pi * step / self.T_max)) / 2.0


class ReduceLROnPlateau(_Schedule):
    """Multiply the learning rate by `factor` when a metric has stopped improving; as PyTorch's.

    `step(metrics)` takes the metric of the epoch, a number or a Tensor of one element; lower is
    better unless `mode="max"`. It has improved when it is better than the best so far by
    `threshold`: a share of the best (`threshold_mode="rel"`) or an amount (`"abs"`). After more
    than `patience` steps in a row without improvement the learning rate is reduced, but not below
    `min_lr` (a number, or a list with one a group) and not by `eps` or less; the `cooldown` steps
    after that do not count. NaN is no improvement.

    ValueError if a setting is negative, `factor` is not below 1, `mode` or `threshold_mode` is
    unknown, or there are not as many `min_lr` as groups.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> optimizer = optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    fields: ClassVar[Mapping[str, Check]] = {
        **_Schedule.fields,
        "mode": choice("min", "max"),
        "factor": fraction,
        "patience": count,
        "threshold": non_negative,
        "threshold_mode": choice("rel", "abs"),
        "cooldown": count,
        "min_lr": one_or_list_of(non_negative),
        "eps": non_negative,
        "best": optional(number),
        "num_bad_epochs": count,
        "cooldown_counter": count,
    }
    per_group = "min_lr"
    mode: str
    factor: float
    patience: int
    threshold: float
    threshold_mode: str
    cooldown: int
    min_lr: float | list[float]
    eps: float
    best: float | None  # None until a metric has improved on the worst there is
    num_bad_epochs: int
    cooldown_counter: int

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(
            optimizer,
            mode=mode,
            factor=factor,
            patience=patience,
            threshold=threshold,
            threshold_mode=threshold_mode,
            cooldown=cooldown,
            min_lr=min_lr,
            eps=eps,
            best=None,
            num_bad_epochs=0,
            cooldown_counter=0,
        )

    def step(self, metrics: SupportsFloat) -> None:
        """Record the metric of one epoch, and reduce the learning rates if it is time."""
        metric = float(metrics)
        self._check_per_group(self.min_lr)  # groups may have been added
        self.last_epoch += 1
        if self._improved(metric):
            self.best = metric
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _improved(self, metric: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        best = -sign * math.inf if self.best is None else self.best
        if self.threshold_mode == "rel":
            return sign * metric > sign * best * (1.0 + sign * self.threshold)
        return sign * metric > sign * best + self.threshold

    def _reduce(self) -> None:
        for index, group in enumerate(self.optimizer.param_groups):
            least = self.min_lr[index] if isinstance(self.min_lr, list) else self.min_lr
            new = max(group["lr"] * self.factor, least)
            if group["lr"] - new > self.eps:
                group["lr"] = new
