"""How long a picture of an unrolled LSTM takes, and how large it is: python pictures.py.

Each contestant draws the same LSTM, written by hand from the ops of its library, over T steps,
into an SVG file, in a process of its own that is ended after two minutes. Its forward pass, and
the backward pass where it shows gradients, are not counted, except where a package can draw only
what it runs itself (torchview, TorchLens). What is not installed is left out. All but ours need
Graphviz's program `dot`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LIMIT = 120.0  # seconds, for all of a process
INPUT, HIDDEN, BATCH = 3, 4, 1

Draw = Callable[[Path], Path]


def lstm(lib: Any, x: list[Any], w: dict[str, Any], h: Any, c: Any) -> Any:
    """The textbook's equations; `lib` has the words sigmoid and tanh."""
    for x_t in x:
        i, f, o = (
            lib.sigmoid(x_t @ w[f"W_{gate}"] + h @ w[f"U_{gate}"] + w[f"b_{gate}"])
            for gate in "ifo"
        )
        c = f * c + i * lib.tanh(x_t @ w["W_g"] + h @ w["U_g"] + w["b_g"])
        h = o * lib.tanh(c)
    return h.sum()


def arrays(steps: int) -> tuple[list[Any], dict[str, Any], Any]:
    """Inputs, weights, and a state of zeros, the same for all."""
    draw = np.random.default_rng(0)
    w = {}
    for gate in "ifgo":
        w[f"W_{gate}"] = draw.normal(0, 0.5, (INPUT, HIDDEN)).astype(np.float32)
        w[f"U_{gate}"] = draw.normal(0, 0.5, (HIDDEN, HIDDEN)).astype(np.float32)
        w[f"b_{gate}"] = draw.normal(0, 0.5, HIDDEN).astype(np.float32)
    x = [draw.normal(size=(BATCH, INPUT)).astype(np.float32) for _ in range(steps)]
    return x, w, np.zeros((BATCH, HIDDEN), np.float32)


def ours(steps: int, fold: int | None, level: str = "ops", ending: str = ".svg") -> Draw:
    """The steps marked, as `nn.Recurrent` does; gradient and all."""
    import tinygrad_rnn as tg
    from tinygrad_rnn import viz
    from tinygrad_rnn.viz.gradient.flow import Flow

    x, weights, zeros = arrays(steps)
    w = {k: tg.tensor(v, requires_grad=True).named(k) for k, v in weights.items()}
    state = tg.tensor(zeros), tg.tensor(zeros)
    for t, x_t in enumerate(x):
        with tg.scope("lstm", step=t):
            state = _step(tg, tg.tensor(x_t).named("x"), w, *state)
    loss = state[0].sum()
    watched = Flow.__init__
    backward = 0.0

    def timed(self: Flow, *arguments: Any, **options: Any) -> None:
        nonlocal backward
        begun = time.perf_counter()
        watched(self, *arguments, **options)
        backward += time.perf_counter() - begun

    def draw(path: Path) -> Path:
        saved = viz.draw(loss, level=level, fold=fold).save(path.with_suffix(ending))
        time_not_counted.append(backward)
        return saved

    Flow.__init__ = timed  # type: ignore[method-assign]
    return draw


time_not_counted: list[float] = []


def _step(tg: Any, x: Any, w: dict[str, Any], h: Any, c: Any) -> tuple[Any, Any]:
    i, f, o = (
        tg.sigmoid(x @ w[f"W_{k}"] + h @ w[f"U_{k}"] + w[f"b_{k}"]).named(f"{name} gate")
        for k, name in zip("ifo", ("input", "forget", "output"))
    )
    g = tg.tanh(x @ w["W_g"] + h @ w["U_g"] + w["b_g"]).named("candidate")
    c = (f * c + i * g).named("c")
    return (o * tg.tanh(c)).named("h"), c


def torchviz(steps: int) -> Draw:
    """`make_dot`, rendered by dot."""
    import torch
    from torchviz import make_dot

    x, weights, zeros = arrays(steps)
    w = {k: torch.tensor(v, requires_grad=True) for k, v in weights.items()}
    loss = lstm(torch, list(map(torch.tensor, x)), w, *[torch.tensor(zeros)] * 2)
    return lambda path: Path(
        make_dot(loss, params=w).render(str(path.with_suffix("")), format="svg", cleanup=True)
    )


def _torch_module() -> Any:
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            weights = arrays(0)[1]
            self.w = torch.nn.ParameterDict({k: torch.tensor(v) for k, v in weights.items()})

        def forward(self, x: Any) -> Any:
            zeros = torch.zeros(BATCH, HIDDEN)
            return lstm(torch, list(x), self.w, zeros, zeros)

    return Net()


def torchview(steps: int) -> Draw:
    """`draw_graph`, which runs the module itself."""
    import torch
    from torchview import draw_graph

    net, x = _torch_module(), torch.tensor(np.stack(arrays(steps)[0]))

    def draw(path: Path) -> Path:
        graph = draw_graph(net, input_data=x, depth=1, hide_module_functions=False)
        return Path(
            graph.visual_graph.render(str(path.with_suffix("")), format="svg", cleanup=True)
        )

    return draw


def torchlens(steps: int) -> Draw:
    """`trace`, which runs the module itself, and `draw`."""
    import torch
    import torchlens

    net, x = _torch_module(), torch.tensor(np.stack(arrays(steps)[0]))

    def draw(path: Path) -> Path:
        trace = torchlens.trace(net, [x])
        trace.draw(vis_outpath=str(path.with_suffix("")), vis_save_only=True, vis_fileformat="svg")
        return path

    return draw


def mygrad(steps: int) -> Draw:
    """`build_graph`, rendered by dot."""
    import mygrad as mg
    from mygrad.computational_graph import build_graph

    x, weights, zeros = arrays(steps)
    w = {k: mg.tensor(v) for k, v in weights.items()}

    class Words:
        tanh = staticmethod(mg.tanh)

        @staticmethod
        def sigmoid(x: Any) -> Any:
            return 1 / (1 + mg.exp(-x))

    loss = lstm(Words, list(map(mg.tensor, x)), w, *[mg.tensor(zeros)] * 2)

    def draw(path: Path) -> Path:
        graph = build_graph(loss, render=True)
        return Path(graph.render(str(path.with_suffix("")), format="svg", cleanup=True))

    return draw


CONTESTANTS: dict[str, tuple[str, Callable[[int], Draw]]] = {
    "ours, every op of every step": ("tinygrad_rnn", lambda T: ours(T, None)),
    "ours, folded (12 steps shown)": ("tinygrad_rnn", lambda T: ours(T, 12)),
    "ours, folded, gates": ("tinygrad_rnn", lambda T: ours(T, 12, "gates")),
    "ours, folded, HTML page of all levels": (
        "tinygrad_rnn",
        lambda T: ours(T, 12, "gates", ".html"),
    ),
    "torchviz": ("torchviz", torchviz),
    "torchview": ("torchview", torchview),
    "TorchLens": ("torchlens", torchlens),
    "MyGrad": ("mygrad", mygrad),
}


def measure_one(name: str, steps: int) -> None:
    """Draw, and print the seconds and the bytes of the file. Run in a process of its own."""
    draw = CONTESTANTS[name][1](steps)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        path = draw(Path(folder) / "picture.svg")
        seconds = time.perf_counter() - begun - sum(time_not_counted)
        print("measured", seconds, path.stat().st_size)


def outcome(name: str, steps: int) -> tuple[str, bool]:
    """What to write into the table, and whether more steps are worth trying."""
    command = [sys.executable, __file__, "--one", name, "--steps", str(steps)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"not done in {LIMIT:.0f} s", False
    for line in done.stdout.splitlines():
        if line.startswith("measured "):
            _, seconds, size = line.split()
            return f"{float(seconds):.2f} s, {round(int(size) / 1000):,} kB", True
    last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no output"
    return last.split(":")[0].rsplit(".", 1)[-1], False


def main() -> None:
    """The table in Markdown, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 30, 100, 1000, 100_000])
    parser.add_argument("--only", nargs="+", default=list(CONTESTANTS), choices=list(CONTESTANTS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure_one(options.one, options.steps[0])
        return
    if shutil.which("dot") is None:
        print("the program dot is missing: only ours can be measured", file=sys.stderr)
    print("| time, file size | " + " | ".join(f"T = {T:,}" for T in options.steps) + " |")
    print("|---|" + "---|" * len(options.steps))
    for name in options.only:
        package, _ = CONTESTANTS[name]
        if importlib.util.find_spec(package) is None:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        cells, goes_on = [], True
        for steps in options.steps:
            too_long = steps > 1000 and "folded" not in name  # seen to take minutes, or more
            cell, goes_on = outcome(name, steps) if goes_on and not too_long else ("–", goes_on)
            cells.append(cell)
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
