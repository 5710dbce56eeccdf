"""The benchmarks compare implementations that compute the same: every gradient, in float64."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


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
