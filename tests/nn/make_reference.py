"""Write `reference.npz`: what PyTorch's layers, losses and recurrent networks compute.

    python tests/nn/make_reference.py

needs PyTorch. Both libraries have the same names, so that each run is written once and executed by
either; the tests load this file for that, and the stored arrays where PyTorch is not installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("reference.npz")


def wave(*shape: int, phase: float = 0.0) -> np.ndarray:
    """Values in [-1, 1] that look irregular and are the same on every machine."""
    return np.sin(1.7 * np.arange(np.prod(shape, dtype=int)) ** 1.1 + phase).reshape(shape)


POSITIONS = np.array([[1, 0], [4, 1], [1, 3]])
CLASSES = np.array([2, 0, 3, 3, 1])
SOME_CLASSES = np.array([2, -100, 3, 3, -100])

LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any], np.ndarray]] = [
    ("Linear", (3, 4), {}, wave(5, 3)),
    ("Linear", (3, 4), {"bias": False}, wave(2, 5, 3)),
    ("Embedding", (5, 3), {}, POSITIONS),
    ("Embedding", (5, 3), {"padding_idx": 1}, POSITIONS),
    ("Embedding", (5, 3), {"padding_idx": -1}, POSITIONS),
    ("LayerNorm", (4,), {}, wave(3, 4)),
    ("LayerNorm", ((2, 4),), {"eps": 0.1, "bias": False}, wave(3, 2, 4)),
    ("LayerNorm", (4,), {"elementwise_affine": False}, wave(2, 3, 4)),
]

LOSSES: list[tuple[str, dict[str, Any], np.ndarray, np.ndarray]] = [
    ("cross_entropy", {}, 3 * wave(5, 4), CLASSES),
    ("cross_entropy", {"reduction": "none"}, 3 * wave(5, 4), SOME_CLASSES),
    ("cross_entropy", {"weight": wave(4, phase=2.0) + 1.5}, 300 * wave(5, 4), SOME_CLASSES),
    ("cross_entropy", {"ignore_index": 3}, wave(5, 4), CLASSES),
    ("cross_entropy", {}, wave(4), np.array(2)),
    ("nll_loss", {"reduction": "sum"}, wave(5, 4), CLASSES),
    ("nll_loss", {"weight": wave(4) + 1.5, "reduction": "none"}, wave(5, 4), SOME_CLASSES),
    ("mse_loss", {}, wave(3, 4), wave(3, 4, phase=1.0)),
    ("mse_loss", {"reduction": "none"}, wave(3), wave(3, phase=1.0)),
    ("binary_cross_entropy_with_logits", {}, 4 * wave(3, 4), wave(3, 4) ** 2),
    ("binary_cross_entropy_with_logits", {"reduction": "sum"}, wave(9), np.arange(9) % 2.0),
]

CELLS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [  # the sizes before the features
    ("RNNCell", {}, (4,)),
    ("RNNCell", {"nonlinearity": "relu", "bias": False}, ()),
    ("LSTMCell", {}, (4,)),
    ("LSTMCell", {"bias": False}, ()),
    ("GRUCell", {}, (4,)),
    ("GRUCell", {"bias": False}, ()),
]

STACKED = {"num_layers": 2, "bidirectional": True}
RECURRENT: list[tuple[str, dict[str, Any], list[int] | None, bool]] = [  # lengths, initial state
    ("RNN", {}, None, False),
    ("RNN", {"nonlinearity": "relu", **STACKED}, [2, 4, 1], True),
    ("LSTM", {}, None, True),
    ("LSTM", {"batch_first": True, **STACKED}, [2, 4, 1], True),
    ("GRU", {}, None, True),
    ("GRU", {"bias": False, **STACKED}, [3, 1, 4], False),
]


class Torch:
    """The little in which PyTorch's interface differs from ours; `Ours` is its counterpart."""

    def __init__(self) -> None:
        import torch

        self.torch, self.nn, self.functional = torch, torch.nn, torch.nn.functional

    def constant(self, array: Any) -> Any:
        return self.torch.tensor(array)

    def leaf(self, array: Any) -> Any:
        return self.torch.tensor(array, requires_grad=True)

    def loaded(self, module: Any, arrays: dict[str, Any]) -> Any:
        module.double().load_state_dict({k: self.torch.tensor(v) for k, v in arrays.items()})
        return module

    def recur(self, layer: Any, x: Any, state: Any, lengths: Any) -> Any:
        if lengths is None:
            return layer(x, state)
        rnn, batch_first = self.nn.utils.rnn, layer.batch_first
        packed = rnn.pack_padded_sequence(
            x, self.torch.tensor(lengths), batch_first, enforce_sorted=False
        )
        outputs, final = layer(packed, state)
        steps = x.shape[1 if batch_first else 0]
        return rnn.pad_packed_sequence(outputs, batch_first, total_length=steps)[0], final


def loaded(library: Any, kind: str, arguments: Any, options: dict[str, Any]) -> Any:
    """The module in float64, with parameters that are the same in both libraries."""
    module = getattr(library.nn, kind)(*arguments, **options)
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    waves = {name: 0.8 * wave(*shape, phase=k) for k, (name, shape) in enumerate(shapes.items())}
    return library.loaded(module, waves)


def gradients(library: Any, outputs: Any, **leaves: Any) -> dict[str, np.ndarray]:
    """The outputs, and the gradients of one weighted sum of them all."""
    found = {f"output {k}": output.detach().numpy() for k, output in enumerate(outputs)}
    loss = sum(
        (output * library.constant(wave(*output.shape, phase=5 + k))).sum()
        for k, output in enumerate(outputs)
    )
    loss.backward()
    return found | {f"d {name}": leaf.grad.detach().numpy() for name, leaf in leaves.items()}


def layer(library: Any, kind: str, arguments: Any, options: Any, x: Any) -> dict[str, np.ndarray]:
    module = loaded(library, kind, arguments, options)
    leaves = dict(module.named_parameters())
    if x.dtype.kind == "f":
        x = leaves["x"] = library.leaf(x)
    else:
        x = library.constant(x)
    return gradients(library, [module(x)], **leaves)


def loss(library: Any, name: str, options: Any, x: Any, target: Any) -> dict[str, np.ndarray]:
    x = library.leaf(x)
    options = {
        k: library.constant(v) if isinstance(v, np.ndarray) else v for k, v in options.items()
    }
    value = getattr(library.functional, name)(x, library.constant(target), **options)
    return gradients(library, [value], x=x)


def cell(library: Any, kind: str, options: Any, outer: tuple[int, ...]) -> dict[str, np.ndarray]:
    module = loaded(library, kind, (2, 3), options)
    x, *state = (
        library.leaf(wave(*outer, size, phase=k))
        for k, size in enumerate((2, 3, 3) if kind == "LSTMCell" else (2, 3))
    )
    new = module(x, tuple(state) if len(state) > 1 else state[0])
    leaves = {"x": x, **{f"state {k}": leaf for k, leaf in enumerate(state)}}
    return gradients(library, flat(new), **leaves, **dict(module.named_parameters()))


def recurrent(
    library: Any,
    kind: str,
    options: dict[str, Any],
    lengths: list[int] | None,
    with_state: bool,
    sizes: tuple[int, ...] = (4, 3, 2, 3),
) -> dict[str, np.ndarray]:
    """A run of (T, B, I, H) = `sizes`, or (T, I, H) for one sequence without a batch."""
    steps, *batch, features, hidden = sizes
    module = loaded(library, kind, (features, hidden), options)
    first = [*batch, steps] if options.get("batch_first") else [steps, *batch]
    leaves = {"x": library.leaf(wave(*first, features, phase=9.0))}
    state = None
    if with_state:
        count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
        shape = (count, *batch, hidden)
        state = tuple(
            library.leaf(wave(*shape, phase=k)) for k in range(2 if kind == "LSTM" else 1)
        )
        leaves |= {f"state {k}": leaf for k, leaf in enumerate(state)}
        state = state if kind == "LSTM" else state[0]
    outputs, final = library.recur(module, leaves["x"], state, lengths)
    return gradients(library, [outputs, *flat(final)], **leaves, **dict(module.named_parameters()))


def flat(state: Any) -> list[Any]:
    return list(state) if isinstance(state, tuple) else [state]


RUNS = {"layer": LAYERS, "loss": LOSSES, "cell": CELLS, "recurrent": RECURRENT}


def results(library: Any, family: str, index: int) -> dict[str, np.ndarray]:
    """What a library computes in one of the runs."""
    found: dict[str, np.ndarray] = globals()[family](library, *RUNS[family][index])
    return found


def main() -> None:
    library = Torch()
    arrays = {
        f"{family}/{index}/{name}": array
        for family, runs in RUNS.items()
        for index in range(len(runs))
        for name, array in results(library, family, index).items()
    }
    np.savez_compressed(FILE, **arrays)
    print(f"{FILE}: {len(arrays)} arrays, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
