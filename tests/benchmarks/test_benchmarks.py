"""The benchmarks compare what computes the same, in float64; none leaves an op out."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_rnn import ops

NO_STEP = {  # ops that take no state, or return what is no array
    "allclose", "arange", "array_equal", "eye", "full", "generator", "manual_seed", "ndim", "ones",
    "randint", "randperm", "shape", "size", "zeros",
}  # fmt: skip


def test_every_op_is_timed_on_both_executors() -> None:
    steps = runpy.run_path(str(Path(__file__).with_name("executor_steps.py")))["STEPS"]
    assert set(ops.__all__) - NO_STEP <= {name.split(",")[0] for name in steps}


@pytest.mark.one_in(3, "size of the peers")
@pytest.mark.parametrize("row", ["5,3,4,6", "4,1,2,3", "1,2,3,4"])
def test_handwritten_kernels_and_installed_peers_agree_with_the_engine(row: str) -> None:
    command = Path(__file__).with_name("recurrent.py")
    done = subprocess.run(
        [sys.executable, str(command), "--check", "--rows", row], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    agreeing = [line for line in done.stdout.splitlines() if line.startswith(row)]
    assert len(agreeing) == 4
    assert all("NumPy by hand" in line and "ours, unrolled" in line for line in agreeing)
