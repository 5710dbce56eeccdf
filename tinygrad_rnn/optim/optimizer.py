"""Optimizer: the loop that all optimisers share. Each subclass is only its update rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..engine.recording.mode import enable_grad, no_grad
from ..engine.tensor import Tensor
from .checks import check_gradient, check_parameter, checked_state, in_order, label, same_names
from .settings import Check, flag, non_negative

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["Optimizer"]

Group = dict[str, Any]  # {"params": [Tensor, ...], "lr": 0.1, ...}
State = dict[str, Any]  # {"step": 3, "exp_avg": array, ...} of one parameter


class Optimizer:
    """Base of the optimisers; as `torch.optim.Optimizer`.

    `params` is an iterable of Tensors, or of groups: dicts with a key `"params"` and settings of
    their own, such as `{"params": [bias], "lr": 0.01}`. Settings that a group lacks come from
    `defaults`. Parameters are leaves that require a gradient, floating point, of any shape.

    `param_groups` is the list of groups, complete; `group["lr"]` may be changed between steps.
    `state` holds what the update rule stores for each parameter: a step count and arrays of its
    shape and dtype. Its keys are positions: parameters are counted from 0 through all groups.

    ValueError if there are no parameters, one is repeated, one is not a leaf or does not require a
    gradient, or a setting is unknown or out of range; TypeError for anything but Tensors.

    An optimiser of your own is a subclass with `update` and, if it keeps state, `buffers`;
    `settings` lists its settings and how each is checked:

    >>> import numpy as np, tinygrad_rnn as tg
    >>> from tinygrad_rnn import optim
    >>> class SignSGD(optim.Optimizer):
    ...     def __init__(self, params, lr=0.5):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     def update(self, x, grad, state, group):
    ...         return group["lr"] * np.sign(grad)
    >>> x = tg.tensor([3.0, -2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> SignSGD([x]).step()
    >>> x
    tensor([ 2.5, -1.5], dtype=float32, requires_grad=True)
    """

    settings: ClassVar[Mapping[str, Check]] = {"lr": non_negative, "maximize": flag}

    def __init__(
        self, params: Iterable[Tensor] | Iterable[Group], defaults: Mapping[str, Any]
    ) -> None:
        self.defaults = self.checked({"maximize": False, **defaults})
        self.param_groups: list[Group] = []
        self.state: dict[int, State] = {}
        for group in _as_groups(params):
            self.add_param_group(group)

    def __repr__(self) -> str:
        groups = [
            f"{len(group['params'])} parameters, "
            + ", ".join(f"{name}={value}" for name, value in _settings(group).items())
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"

    # What an optimiser defines

    def update(self, x: Array, grad: Array, state: State, group: Group) -> Array:
        """What to subtract from the parameter `x`, given the gradient of the objective.

        All arrays are of one shape and dtype. `state` may be written into, `x` and `grad` not.
        `state["step"]` is 1 in the first step of this parameter.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update(x, grad, state, group)")

    def buffers(self, group: Group) -> tuple[str, ...]:
        """The names of the arrays that the rule keeps for a parameter of `group`; zeros at first.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import optim
        >>> adam = optim.Adam([tg.tensor([1.0], requires_grad=True)])
        >>> adam.buffers(adam.param_groups[0])
        ('exp_avg', 'exp_avg_sq')
        """
        return ()

    def checked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """`settings` as plain Python values, or the error that says which of them is wrong."""
        for name in settings:
            if name not in self.settings:
                raise ValueError(
                    f"{type(self).__name__} has no setting {name!r}; "
                    f"it has {', '.join(self.settings)}"
                )
        return {name: self.settings[name](name, value) for name, value in settings.items()}

    # What all have

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add a group: a dict with `"params"`, a Tensor or a sequence of them, and settings.

        Raises the errors of the class; nothing is added then.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import optim
        >>> x, y = (tg.tensor([1.0], requires_grad=True) for _ in range(2))
        >>> optimizer = optim.SGD([x], lr=0.5)
        >>> optimizer.add_param_group({"params": y, "lr": 0.25})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.5, 0.25]
        """
        if "params" not in group:
            raise ValueError(f'a group needs its parameters under "params"; it has {list(group)}')
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else in_order(params)
        if not params:
            raise ValueError("no parameters: an empty list, or a generator that is used up?")
        seen = {id(p) for _, p, _ in self._parameters()}
        for position, p in enumerate(params, start=len(seen)):
            check_parameter(p, position)
            if id(p) in seen:
                raise ValueError(f"{label(p, position)} is there twice; pass each one once")
            seen.add(id(p))
        self.param_groups.append(
            {"params": params, **self.checked({**self.defaults, **_settings(group)})}
        )

    def zero_grad(self) -> None:
        """Clear the gradients: `grad` of every parameter becomes None.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import optim
        >>> x = tg.tensor([3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> optim.SGD([x]).zero_grad()
        >>> x.grad is None
        True
        """
        for _, p, _ in self._parameters():
            p.zero_grad()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; those whose `grad` is None are left alone.

        `closure`, if given, is called first, with recording on: it computes the gradients anew
        and returns the loss, which `step` then returns.

        TypeError or ValueError if a gradient is not of its parameter's dtype or shape, or the
        parameter's array is read-only: found before anything is changed. NaN and Inf in a
        gradient pass into the parameter without a warning (`tg.detect_anomaly()` finds where they
        came from). A backward pass that still needs the old values raises `StaleValueError`.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        pending = [
            (position, p, group, p._grad._data)
            for position, p, group in self._parameters()
            if p._grad is not None
        ]
        for position, p, _, grad in pending:
            check_gradient(p, position, grad)
        # Warnings are off because a user may have made them errors, and one in mid-loop would
        # leave some parameters updated and others not.
        with no_grad(), np.errstate(all="ignore"):
            for position, p, group, grad in pending:
                state = self._state_of(position, p, group)
                state["step"] += 1
                p -= self.update(p._data, -grad if group["maximize"] else grad, state, group)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that the next steps depend on besides parameters and gradients.

        `{"state": {position: {"step": int, buffer: ndarray}}, "param_groups": [{"params":
        [position, ...], setting: number}]}`: PyTorch's layout, of arrays and plain Python values
        alone.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import optim
        >>> x = tg.tensor([3.0], requires_grad=True)
        >>> optimizer = optim.RMSprop([x], alpha=0.75)
        >>> (x * x).sum().backward()
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'step': 1, 'square_avg': array([9.], dtype=float32)}}
        """
        state: dict[int, State] = {}
        positions: dict[int, list[int]] = {id(group): [] for group in self.param_groups}
        for position, p, group in self._parameters():
            positions[id(group)].append(position)
            if position in self.state:
                now = self._state_of(position, p, group)
                buffers = {name: now[name].copy() for name in self.buffers(group)}
                state[position] = {"step": now["step"], **buffers}
        groups = [
            {"params": positions[id(group)], **self.checked(_settings(group))}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, settings included; the arrays are copied.

        Strict: ValueError (TypeError for a value of the wrong kind) if groups, settings, buffers,
        shapes or dtypes are not those of this optimiser; nothing is changed then. Positions may be
        strings and pairs may be lists, as JSON returns them.

        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import optim
        >>> x = tg.tensor([3.0], requires_grad=True)
        >>> saved = optim.SGD([x], lr=0.25).state_dict()
        >>> optimizer = optim.SGD([x])
        >>> optimizer.load_state_dict(saved)
        >>> optimizer.param_groups[0]["lr"]
        0.25
        """
        what = f"{type(self).__name__}.load_state_dict"
        same_names(f"{what}: the state_dict", state_dict, ("state", "param_groups"))
        settings = self._checked_groups(what, state_dict["param_groups"])
        state = self._checked_states(what, state_dict["state"], settings)
        for group, setting in zip(self.param_groups, settings):
            group.update(setting)
        self.state = state

    def _checked_groups(self, what: str, saved: Any) -> list[Group]:
        """The settings of each saved group, if the groups are like ours."""
        ours = self.state_dict()["param_groups"]
        if len(saved) != len(ours):
            raise ValueError(f"{what}: {len(saved)} groups for an optimiser of {len(ours)}")
        settings = []
        for index, (mine, theirs) in enumerate(zip(ours, saved)):
            same_names(f"{what}: group {index}", theirs, tuple(mine))
            positions = list(theirs["params"])
            if positions != mine["params"]:
                raise ValueError(
                    f"{what}: group {index} has the parameters {positions}, not {mine['params']}"
                )
            settings.append(self.checked(_settings(theirs)))
        return settings

    def _checked_states(self, what: str, saved: Any, settings: list[Group]) -> dict[int, State]:
        """A copy of the saved state, if it is what these settings of our groups need."""
        saved = {str(position): state for position, state in saved.items()}
        buffers = [
            self.buffers(setting)
            for setting, group in zip(settings, self.param_groups)
            for _ in group["params"]
        ]
        state: dict[int, State] = {}
        for position, p, _ in self._parameters():
            if (key := str(position)) in saved:
                place = f"{what}: the state of {label(p, position)}"
                state[position] = checked_state(place, saved.pop(key), buffers[position], p._data)
        if saved:
            raise ValueError(f"{what}: state of parameters that are not there: {list(saved)}")
        return state

    def _parameters(self) -> Iterator[tuple[int, Tensor, Group]]:
        """Each parameter with its position and its group."""
        position = 0
        for group in self.param_groups:
            for p in group["params"]:
                yield position, p, group
                position += 1

    def _state_of(self, position: int, p: Tensor, group: Group) -> State:
        """The state of a parameter, with every buffer that the current settings need."""
        state = self.state.setdefault(position, {"step": 0})
        for name in self.buffers(group):
            if name not in state:
                state[name] = np.zeros_like(p._data)
        return state


# What update rules have in common


def with_l2(grad: Array, x: Array, weight_decay: float) -> Array:
    """The gradient after `weight_decay / 2 * ||x||^2` is added to the objective."""
    return grad + weight_decay * x if weight_decay else grad


def average(mean: Array, new: Array, decay: float) -> None:
    """Move an exponential average on, in place: `mean = decay * mean + (1 - decay) * new`."""
    mean *= decay
    mean += (1.0 - decay) * new


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def _as_groups(params: Any) -> list[Mapping[str, Any]]:
    if isinstance(params, Tensor | Mapping):
        raise TypeError(
            f"parameters come as a list, not as one {type(params).__name__}: write [x] for x"
        )
    parts = in_order(params)
    if parts and all(isinstance(part, Mapping) for part in parts):
        return parts
    return [{"params": parts}]
