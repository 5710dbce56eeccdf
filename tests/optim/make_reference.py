"""Write `reference.json`: what PyTorch's optimisers and schedules do, for machines without it.

    python tests/optim/make_reference.py

needs PyTorch. The problem and the runs are written so that both libraries can execute them; the
tests load this file for them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("reference.json")
STEPS = 50
KEPT_STEPS = (1, 10, 50)

OPTIMISERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.01, "weight_decay": 0.01, "maximize": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.02}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.7, "weight_decay": 0.01}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.95, "centered": True, "eps": 1e-3}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": [0.8, 0.95], "weight_decay": 0.03, "maximize": True}),
    ("Adam", {"lr": 0.05, "betas": [0.5, 0.9], "eps": 1e-4, "amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "betas": [0.9, 0.98], "weight_decay": 0.3, "amsgrad": True}),
]

SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("MultiStepLR", {"milestones": [30, 3, 8, 8], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.8}),
    ("CosineAnnealingLR", {"T_max": 50}),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 1}),
    ("ReduceLROnPlateau", {"patience": 2}),
    ("ReduceLROnPlateau", {"mode": "max", "factor": 0.5, "patience": 0, "cooldown": 3}),
    ("ReduceLROnPlateau", {"patience": 1, "threshold": 0.2, "threshold_mode": "abs"}),
    ("ReduceLROnPlateau", {"mode": "max", "patience": 3, "threshold_mode": "abs"}),
    ("ReduceLROnPlateau", {"patience": 0, "min_lr": [0.05, 0.001], "eps": 1e-3, "factor": 0.7}),
]

CLIPS: list[tuple[str, dict[str, Any]]] = [
    ("clip_grad_norm_", {"max_norm": 0.5}),
    ("clip_grad_norm_", {"max_norm": 1.0, "norm_type": 1.0}),
    ("clip_grad_norm_", {"max_norm": 0.1, "norm_type": 3.5}),
    ("clip_grad_norm_", {"max_norm": 0.1, "norm_type": math.inf}),
    ("clip_grad_norm_", {"max_norm": 1000.0}),
    ("clip_grad_value_", {"clip_value": 0.05}),
]


def problem(seed: int = 0) -> dict[str, np.ndarray]:
    """Return the data x, y and the start w, b, s (0-d) of a small regression, all float64."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (8, 4), "y": (8, 3), "w": (4, 3), "b": (3,), "s": ()}
    return {name: np.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}


def loss(x: Any, y: Any, w: Any, b: Any, s: Any) -> Any:
    """Return the loss of s tanh(x w + b) against y: neither convex nor separable."""
    error = (x @ w + b).tanh() * s - y
    return (error * error).mean()


def parameters(tensor: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return x and y as constants and w, b, s as parameters, by a library's own `tensor`."""
    return {
        name: tensor(np.array(value), requires_grad=name in "wbs") for name, value in values.items()
    }


def trajectory(
    tensor: Callable[..., Any],
    make: Callable[..., Any],
    settings: dict[str, Any],
    values: dict[str, Any],
    steps: int = STEPS,
) -> Iterator[list[np.ndarray]]:
    """Yield the parameters w, b, s after each step of the optimiser `make(params, **settings)`."""
    tensors = parameters(tensor, values)
    params = [tensors[name] for name in "wbs"]
    optimiser = make(params, **settings)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(**tensors).backward()
        optimiser.step()
        yield [p.detach().numpy().copy() for p in params]


def metrics(seed: int = 1) -> list[float]:
    """Return a loss for each step: falling at first, then noise, with one NaN."""
    noise = np.random.default_rng(seed).normal(size=STEPS)
    found = [3.0 * math.exp(-t / 6.0) + 0.1 * n for t, n in enumerate(noise.tolist())]
    found[5] = math.nan
    return found


def rates(optimiser: Any, schedule: Any, values: list[float]) -> list[list[float]]:
    """Return the learning rates of both groups after each step of a schedule."""
    takes_metric = hasattr(schedule, "patience")
    found = []
    for value in values:
        optimiser.step()
        schedule.step(*([value] if takes_metric else []))
        found.append([group["lr"] for group in optimiser.param_groups])
    return found


def two_groups(tensor: Callable[..., Any], sgd: Callable[..., Any]) -> Any:
    """Return an optimiser with two groups of different learning rates."""
    first, second = (tensor(np.ones(2), requires_grad=True) for _ in range(2))
    return sgd([{"params": [first]}, {"params": [second], "lr": 0.02}], lr=0.3)


def clipped(
    tensor: Callable[..., Any], clip: Callable[..., Any], settings: dict[str, Any], values: Any
) -> tuple[float | None, list[np.ndarray]]:
    """Return what a clipping function returns, and the gradients after it."""
    tensors = parameters(tensor, values)
    loss(**tensors).backward()
    params = [tensors[name] for name in "wbs"]
    norm = clip(params, **settings)
    return None if norm is None else float(norm), [p.grad.detach().numpy().copy() for p in params]


def main() -> None:
    """Run everything with PyTorch and write the file."""
    import torch

    start = problem()
    optimisers = []
    for name, settings in OPTIMISERS:
        path = list(trajectory(torch.tensor, getattr(torch.optim, name), settings, start))
        kept = {step: [p.tolist() for p in path[step - 1]] for step in KEPT_STEPS}
        optimisers.append({"name": name, "settings": settings, "steps": kept})
    schedules = []
    for name, settings in SCHEDULES:
        optimiser = two_groups(torch.tensor, torch.optim.SGD)
        schedule = getattr(torch.optim.lr_scheduler, name)(optimiser, **settings)
        found = rates(optimiser, schedule, metrics())
        schedules.append({"name": name, "settings": settings, "rates": found})
    clips = []
    for name, settings in CLIPS:
        clip = getattr(torch.nn.utils, name)
        norm, grads = clipped(torch.tensor, clip, settings, start)
        grads = [grad.tolist() for grad in grads]
        clips.append({"name": name, "settings": settings, "norm": norm, "grads": grads})
    parts = {
        "problem": {name: value.tolist() for name, value in start.items()},
        "metrics": metrics(),
        "optimisers": optimisers,
        "schedules": schedules,
        "clips": clips,
    }
    lines = [f"{json.dumps(name)}: {_rows(part)}" for name, part in parts.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _rows(part: Any) -> str:
    """Return JSON with one line for each item of a list of runs."""
    if isinstance(part, list) and isinstance(part[0], dict):
        return "[\n" + ",\n".join(json.dumps(item) for item in part) + "\n]"
    return json.dumps(part)


if __name__ == "__main__":
    main()
