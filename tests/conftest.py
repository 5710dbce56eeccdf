"""Settings of the whole test suite: one thread, both cores, reproducible, and what was skipped."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections import Counter

# Before NumPy is imported: the tests' matrices are small, and threads that wait for each other
# on a busy machine take many times as long as one. Workers of pytest-xdist inherit this.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# JAX compiles each random program for one run: there is nothing to optimise for.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# Where Python is told to leave no bytecode in the tree, each of the many programs that tests start
# would compile the whole package again: it is kept outside, for this run alone.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) and "PYTHONPYCACHEPREFIX" not in os.environ:
    folder = tempfile.mkdtemp(prefix="bytecode_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PYTHONPYCACHEPREFIX"] = folder

import pytest  # noqa: E402
from hypothesis import HealthCheck, Phase, settings  # noqa: E402

import tinygrad_rnn as tg  # noqa: E402
from tinygrad_rnn.engine.primitives.protocol import FUNCTIONS  # noqa: E402

_ANSWERED = pytest.StashKey[dict]()

# How many examples a property is tried on: `--hypothesis-profile=ci` is what `.ci/run` takes, and
# `thorough` looks elsewhere each time. The other two are reproducible. A test with an expensive
# example takes a share of any of them, `settings().max_examples * 40 // 100`.
# Where many laws are meant to fail, to trace each line of a counterexample takes most of the time.
QUICKLY = [phase for phase in Phase if phase is not Phase.explain]
same = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", same, max_examples=20, phases=QUICKLY)
settings.register_profile("ci", same, max_examples=100)
settings.register_profile("thorough", same, max_examples=2000, derandomize=False, print_blob=True)
settings.load_profile("quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of tests marked `one_in(n)`, slow ones of a kind, CI runs all and others every n-th."""
    if settings().max_examples >= 100:
        return
    seen: Counter[tuple[object, str]] = Counter()
    for item in items:
        marker = item.get_closest_marker("one_in")
        if marker is None:
            continue
        n, of = marker.args
        if seen[item.path, of] % n:
            why = f"one {of} in {n}; --hypothesis-profile=ci tries all"
            item.add_marker(pytest.mark.skip(reason=why))
        seen[item.path, of] += 1


def pytest_collection_finish() -> None:
    """What is there before the first test stays: the garbage collector need not walk over it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def seed() -> None:
    """Each test draws the same random numbers, whatever ran before it."""
    tg.manual_seed(0)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A worker for each core where the whole suite runs; none where tests are picked by path."""
    whole = config.args_source is not config.ArgsSource.ARGS
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return cores if whole and cores > 1 else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was skipped by its reason, with the number of tests (or whole files)."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        unit = "file" if isinstance(report, pytest.CollectReport) else "test"
        reasons[f"{unit}|{why.removeprefix('Skipped: ')}"] += 1
    if not reasons:
        return
    terminalreporter.section("skipped, and why")
    for key, count in sorted(reasons.items()):
        unit, _, why = key.partition("|")
        terminalreporter.line(f"{count:5} {unit}{'s' * (count > 1)}: {why}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember which functions of NumPy Tensors answer ..."""
    item.stash[_ANSWERED] = dict(FUNCTIONS)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """... for what a test declares with `tg.implements` is not for the tests after it."""
    if _ANSWERED in item.stash:  # not in that of a test that was skipped
        FUNCTIONS.clear()
        FUNCTIONS.update(item.stash[_ANSWERED])
