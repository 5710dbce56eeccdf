"""What every benchmark shares: a clean environment, interleaved runs, medians, a table."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import importlib.util
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

THREAD_SETTINGS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NPROC",  # read by XLA
)
VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}  # as /proc/cpuinfo names them
TUNING_SETTINGS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_DEBUG_CPU_TYPE")


def run_with_threads(threads: int) -> None:
    """Start this command anew where the environment is not that of `threads` threads, untuned.

    The libraries read these variables once, as they load, so they are set before Python starts.
    """
    wanted = {name: str(threads) for name in THREAD_SETTINGS}
    multi = "true" if threads > 1 else "false"
    wanted["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={multi}"
    wanted["JAX_PLATFORMS"] = "cpu"
    clean = all(os.environ.get(name) == value for name, value in wanted.items())
    if clean and not any(name in os.environ for name in TUNING_SETTINGS):
        return
    environment = {k: v for k, v in os.environ.items() if k not in TUNING_SETTINGS} | wanted
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def options_parser(description: str, repeat: int) -> argparse.ArgumentParser:
    """The options that every benchmark takes."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="of the libraries' own")
    parser.add_argument(
        "--repeat", type=int, default=repeat, metavar="N", help="samples of each contestant"
    )
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count the processor's time instead of the clock's: for one thread on a busy machine",
    )
    return parser


def start(
    parser: argparse.ArgumentParser, *packages: str, shown: str = "Medians"
) -> argparse.Namespace:
    """The options, once the environment is clean; prints what is measured on, and how."""
    options = parser.parse_args()
    run_with_threads(options.threads)
    if "torch" in packages and installed("torch"):
        import torch

        torch.set_num_threads(options.threads)
    _Clock.now = time.process_time if options.cpu_time else time.perf_counter
    print_setting(packages, options, shown)
    return options


class _Clock:
    now: Callable[[], float] = time.perf_counter


def clock() -> float:
    """Seconds by the clock that `--cpu-time` chooses."""
    return _Clock.now()


def installed(package: str) -> bool:
    """Whether a peer can be imported; those that cannot are left out of the tables."""
    return importlib.util.find_spec(package) is not None


def interleaved(
    contestants: Mapping[str, Callable[[], Any]], repeat: int, sample_seconds: float = 0.02
) -> dict[str, float]:
    """The median seconds of one call of each, the contestants taking turns.

    A sample is as many calls as fill `sample_seconds`. Whatever else the machine does meets all
    contestants alike, so the ratios hold better than the times.
    """
    calls = {name: _calls_for(run, sample_seconds) for name, run in contestants.items()}
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    gc.collect()
    gc.freeze()  # so that collections look at what the contestants make, not at the libraries
    names = list(contestants)
    for turn in range(repeat):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            run = contestants[name]
            begin = _Clock.now()
            for _ in range(calls[name]):
                run()
            samples[name].append((_Clock.now() - begin) / calls[name])
    gc.unfreeze()
    return {name: statistics.median(found) for name, found in samples.items()}


def _calls_for(run: Callable[[], Any], seconds: float) -> int:
    run()  # warm up: compile, fill caches
    begin = time.perf_counter()
    run()
    return max(1, round(seconds / (time.perf_counter() - begin)))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
    """A Markdown table, each row as soon as it is known; the first `left` columns to the left."""
    if isinstance(rows, Sequence):
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    else:
        widths = [max(len(name), 14 if i < left else 0) for i, name in enumerate(header)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    print(line(header))
    print(line(["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]))
    for row in rows:
        print(line(row), flush=True)


def print_setting(packages: Sequence[str], options: argparse.Namespace, shown: str) -> None:
    """Versions, processor, threads, how busy the machine is, and what the numbers are."""
    kind = "CPU time" if options.cpu_time else "wall time"
    print_machine(packages, options.threads)
    print(f"{shown} of {options.repeat} interleaved samples, {kind}.\n")


def print_machine(packages: Sequence[str], threads: int = 1) -> None:
    """Versions, processor, threads and how busy the machine is."""
    found = [f"Python {platform.python_version()}"]
    found += [f"{p} {importlib.metadata.version(p)}" for p in packages if installed(p)]
    load = f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(", ".join(found))
    print(f"{_processor()}, {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)}; {load}")


def _processor() -> str:
    """Its name and the widest vectors that it computes with."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = file.read()
    except OSError:
        return platform.processor() or platform.machine()
    names = re.findall(r"^model name\s*: (.*)$", lines, re.M) or [platform.machine()]
    vectors = [shown for flag, shown in VECTORS.items() if re.search(rf"\b{flag}\b", lines)]
    return f"{names[0].strip()} with {vectors[0]}" if vectors else names[0].strip()


def number(value: float | None) -> str:
    """Three significant digits, or a dash."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
