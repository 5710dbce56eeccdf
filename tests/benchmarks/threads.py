"""One scan on several threads: the compiled loop alone, and a whole training step.

    python tests/benchmarks/threads.py
    python tests/benchmarks/threads.py --rows 100,64,256,512 --counts 1 2 4

Milliseconds by the clock, the least of interleaved runs: a processor that others keep busy shows
less than there is. "Loop": the loops over time of a training step, forward and back. "Step": all
of it, with the products before and after the loop, which are computed in blocks. NumPy's own
products use one thread. "Same bits": whether outputs and gradients are the same to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.specialization import compiled_steps

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


class Contestant:
    """A training step of a layer, and the seconds that its loops take."""

    def __init__(self, name: str, row: tuple[int, int, int, int]) -> None:
        steps, batch, features, size = row
        tg.manual_seed(0)
        self.layer = LAYERS[name](features, size)
        draw = np.random.default_rng(1).standard_normal((steps, batch, features))
        self.x = tg.tensor(draw.astype("f"), requires_grad=True)
        self.run()
        self.seconds = 0.0
        for compiled in compiled_steps(self.layer.cells[0]):
            for program in (compiled.forward, compiled.backward):
                if program is not None and program.loop_source:
                    program._namespace["loop"] = self._timed(program._namespace["loop"])

    def _timed(self, loop: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            begin = time.perf_counter()
            loop(*arguments)
            self.seconds += time.perf_counter() - begin

        return run

    def run(self) -> list[Any]:
        """The outputs and all gradients."""
        self.layer.zero_grad()
        self.x.grad = None
        outputs = self.layer(self.x)[0]
        outputs.sum().backward()
        return [outputs, self.x.grad, *(p.grad for p in self.layer.parameters())]

    def measured(self, threads: int) -> tuple[float, float]:
        """Seconds of the loops, and of the step."""
        tg.set_num_threads(threads)
        self.seconds, begin = 0.0, time.perf_counter()
        self.run()
        return self.seconds, time.perf_counter() - begin

    def same_bits(self, counts: list[int]) -> bool:
        """Whether the results are the same for any of these numbers of threads."""
        found = []
        for threads in counts:
            tg.set_num_threads(threads)
            found.append([t.detach().data.copy() for t in self.run()])
        return all(np.array_equal(a, b) for one in found for a, b in zip(one, found[0]))


def main() -> None:
    parser = options_parser(__doc__, repeat=30)
    parser.add_argument("--rows", nargs="+", default=["50,16,16,32", "100,32,64,128"])
    parser.add_argument("--layers", nargs="+", default=[*LAYERS], choices=LAYERS)
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 2], help="numbers of threads")
    options = start(parser, "numpy", shown="Least")
    tg.set_executor("llvm")

    def rows() -> Any:
        for row in options.rows:
            for name in options.layers:
                contestant = Contestant(name, tuple(map(int, row.split(","))))
                found: dict[int, list[tuple[float, float]]] = {n: [] for n in options.counts}
                for _ in range(options.repeat):
                    for threads in options.counts:
                        found[threads].append(contestant.measured(threads))
                least = {n: [min(part) for part in zip(*times)] for n, times in found.items()}
                first = least[options.counts[0]]
                cells = [name, row]
                for part in range(2):
                    cells += [number(1000 * least[n][part]) for n in options.counts]
                    cells += [number(first[part] / least[options.counts[-1]][part])]
                yield [*cells, "yes" if contestant.same_bits(options.counts) else "NO"]

    header = ["layer", "T, B, I, H"]
    for part in ("loop", "step"):
        header += [f"{part}, {n} thread{'s' * (n > 1)}" for n in options.counts]
        header += ["times faster"]
    print_table([*header, "same bits"], rows(), left=2)


if __name__ == "__main__":
    main()
