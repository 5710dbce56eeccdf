"""What `import tinygrad_rnn` adds to `import numpy`, in fresh interpreters.

python tests/benchmarks/import_time.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from timing import number, options_parser, print_table, start

MEASURE = """
from time import {clock} as clock
start = clock()
import numpy
numpy_loaded = clock()
import tinygrad_rnn
print(numpy_loaded - start, clock() - numpy_loaded)
"""

# An installed package has its bytecode cached: let Python do so here too, outside the sources.
CACHE = tempfile.TemporaryDirectory()
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["PYTHONPYCACHEPREFIX"] = CACHE.name


def one_start(clock: str) -> tuple[float, float]:
    """Seconds for `import numpy`, and then for `import tinygrad_rnn`, in a new interpreter."""
    numpy, ours = map(float, _python("-c", MEASURE.format(clock=clock)).stdout.split())
    return numpy, ours


def slowest_modules(count: int) -> list[tuple[str, float]]:
    """The modules that take longest by themselves, beyond those that NumPy loads, in ms."""

    def own_times(statement: str) -> dict[str, float]:
        lines = _python("-X", "importtime", "-c", statement).stderr.splitlines()[1:]
        parts = [line.removeprefix("import time:").split("|") for line in lines]
        return {name.strip(): int(own) / 1000 for own, _, name in parts}

    numpys = own_times("import numpy")
    added = {k: v for k, v in own_times("import numpy, tinygrad_rnn").items() if k not in numpys}
    return sorted(added.items(), key=lambda item: -item[1])[:count]


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )


def main() -> None:
    options = start(options_parser(__doc__, repeat=31), "numpy")
    clock = "process_time" if options.cpu_time else "perf_counter"
    one_start(clock)  # so that the files are compiled and in the system's cache
    starts = [one_start(clock) for _ in range(options.repeat)]
    rows = []
    for name, seconds in zip(["numpy", "tinygrad_rnn after it"], zip(*starts)):
        quartiles = statistics.quantiles(seconds, n=4)
        rows.append([f"import {name}", *(number(1000 * q) for q in quartiles)])
    print_table(["milliseconds", "lower quartile", "median", "upper quartile"], rows)
    print("\nThe slowest modules that NumPy does not load (milliseconds of their own, one run):\n")
    print_table(["module", "ms"], [[name, number(ms)] for name, ms in slowest_modules(10)])


if __name__ == "__main__":
    main()
