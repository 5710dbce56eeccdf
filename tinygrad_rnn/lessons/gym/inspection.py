"""What is wrong with a file of the gym, found by comparison with the engine's gradients."""

from __future__ import annotations

import runpy
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import nn
from ...engine.tensor import tensor
from ...language import say
from .faults import FAULTS, Fault

__all__ = ["Finding", "inspect_file", "start"]

Array = Any
BATCH, INPUTS, UNITS = 3, 2, 3
ONE_STEP = np.array([1, 1, 1])
FIVE_STEPS = np.array([5, 3, 1])  # one sequence ends with the padding, two before it
LAYERS: dict[str, Callable[..., nn.Recurrent]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
WEIGHTS = {  # of a file, and of the layer
    "rnn": {"W_xh": "weight_ih_l0", "W_hh": "weight_hh_l0", "b": "bias_ih_l0"},
    "lstm": {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0"},
    "gru": {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "b_h": "bias_hh_l0"},
}
GATES = {"rnn": ("",), "lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n")}
STATES = ("h", "c")


@dataclass(frozen=True)
class Finding:
    """The result of running a file for `steps` steps; it is right if `wrong` is empty."""

    fault: Fault
    steps: int
    wrong: tuple[str, ...]

    @property
    def mended(self) -> bool:
        """Whether all values and gradients are right."""
        return not self.wrong


def start(folder: str | Path) -> list[Path]:
    """Write the files that are not in `folder` yet; returns all of them, in order.

    >>> import tempfile
    >>> from tinygrad_rnn.lessons import gym
    >>> files = gym.start(tempfile.mkdtemp())
    >>> len(files), files[0].name
    (20, '01_transposed_weight.py')
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for fault in FAULTS:
        path = folder / fault.file
        if not path.exists():
            path.write_text(fault.text(), encoding="utf-8")
    return [folder / fault.file for fault in FAULTS]


def inspect_file(path: str | Path) -> Finding:
    """Run a file of the gym, as a program, and compare it with the layer that it implements.

    ValueError if its name is not one of the gym's files.

    >>> import tempfile
    >>> from tinygrad_rnn.lessons import gym
    >>> print(*gym.inspect_file(gym.start(tempfile.mkdtemp())[2]).wrong, sep="\\n")
    the gradient of W_hh
    """
    path = Path(path)
    fault = next((fault for fault in FAULTS if fault.file == path.name), None)
    if fault is None:
        raise ValueError(f"{path.name} is not a file of the gym; `tinygrad-rnn gym` writes them")
    try:
        program = runpy.run_path(str(path))
        for lengths in (ONE_STEP, FIVE_STEPS):
            wrong = tuple(_differences(fault.network, program, lengths))
            if wrong:
                break
        return Finding(fault, int(lengths.max()), wrong)
    except Exception as error:  # the reader's own code
        lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f", line {lines[-1].lineno}" if lines else ""
        return Finding(fault, 0, (f"{type(error).__name__}{where}: {error}",))


def _differences(network: str, program: dict[str, Any], lengths: Array) -> Iterator[str]:
    """The values that differ or, if all are right, the gradients that differ."""
    rng = np.random.default_rng(0)
    layer = LAYERS[network](INPUTS, UNITS)
    for parameter in layer.parameters():
        parameter.data = rng.normal(0.0, 0.8, parameter.shape)
    own = dict(layer.named_parameters())
    weights = {name: own[theirs].data.copy() for name, theirs in WEIGHTS[network].items()}
    if network != "gru":  # these files have one bias where the layer has two
        own["bias_hh_l0"].data[...] = 0.0
    x = rng.normal(size=(lengths.max(), BATCH, INPUTS))
    names = STATES[: 2 if network == "lstm" else 1]
    state = tuple(rng.normal(size=(BATCH, UNITS)) for _ in names)

    given, first = (
        tensor(x, requires_grad=True),
        [tensor(s[None], requires_grad=True) for s in state],
    )
    outputs, last = layer(given, tuple(first) if len(names) > 1 else first[0], lengths=lengths)
    finals = last if isinstance(last, tuple) else (last,)
    found, final, saved = program["forward"](x, state, weights, lengths)
    steps = [t for t in range(len(x)) if _differ(found[t], outputs.data[t])]
    if steps:
        rows = _rows(found, outputs.data)
        yield say("the outputs, from step {step} on{rows}", step=steps[0], rows=rows)
    for name, theirs, true in zip(names, final, finals):
        if _differ(theirs, true.data[0]):
            rows = _rows(theirs[None], true.data)
            yield say("the final state {name}{rows}", name=name, rows=rows)
    if steps or any(_differ(a, b.data[0]) for a, b in zip(final, finals)):
        return

    d_outputs = rng.normal(size=found.shape)
    d_final = tuple(rng.normal(size=s.shape) for s in state)
    loss = (outputs * d_outputs).sum()
    for true, d in zip(finals, d_final):
        loss = loss + (true[0] * d).sum()
    loss.backward()
    d_x, d_state, d_weights = program["backward"](d_outputs, d_final, saved, weights, lengths)
    yield from _wrong_gradients(network, (d_x, d_state, d_weights), given, first, own)


def _wrong_gradients(
    network: str, found: Any, x: Any, first: list[Any], own: dict[str, Any]
) -> Iterator[str]:
    d_x, d_state, d_weights = found
    steps = [t for t in range(len(d_x)) if _differ(d_x[t], x.grad.data[t])]
    if steps:
        rows = _rows(d_x, x.grad.data)
        yield say("the gradient of x, from step {step} back{rows}", step=steps[-1], rows=rows)
    for name, theirs, true in zip(STATES, d_state, first):
        if _differ(theirs, true.grad.data[0]):
            rows = _rows(theirs[None], true.grad.data)
            yield say("the gradient of the initial {name}{rows}", name=name, rows=rows)
    for name, layers in WEIGHTS[network].items():
        gates = GATES[network]
        pairs = zip(*(np.split(d, len(gates)) for d in (d_weights[name], own[layers].grad.data)))
        wrong = [gate for gate, (a, b) in zip(gates, pairs) if _differ(a, b)]
        if wrong and (wrong == [""] or len(wrong) == len(gates)):
            yield say("the gradient of {name}", name=name)
        elif wrong:
            gates_told = ", ".join(wrong)
            yield say(
                "the gradient of {name}, in the rows of {gates} alone", name=name, gates=gates_told
            )


def _differ(found: Array, true: Array) -> bool:
    return np.shape(found) != np.shape(true) or not np.allclose(found, true, 1e-6, 1e-9)


def _rows(found: Array, true: Array) -> str:
    """Which sequences are wrong, if only sequences that end early are wrong."""
    wrong = [b for b in range(BATCH) if _differ(found[:, b], true[:, b])]
    if wrong and 0 not in wrong:
        sequences = ", ".join(map(str, wrong))
        return say(
            " (only of sequences that end before the padding: {sequences})", sequences=sequences
        )
    return ""
