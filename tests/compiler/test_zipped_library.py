"""Python whose standard library is an archive, as in Pyodide and where Python is embedded."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

PROGRAM = """
import warnings, sys
warnings.simplefilter("error")
import inspect
assert ".zip" in inspect.__file__, inspect.__file__
import tinygrad_rnn as tg
def step(h, x):
    inspect.unwrap(step)  # asks for the limit of recursion, which a user's code may not
    h = tg.tanh(h + x)
    return h, h
tg.scan(step, tg.zeros(2), tg.ones(3, 2))
"""


def test_a_step_may_call_it(tmp_path: Path) -> None:
    archive = tmp_path / f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    with zipfile.ZipFile(archive, "w") as library:
        library.write(Path(sysconfig.get_paths()["stdlib"]) / "inspect.py", "inspect.py")
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(archive), str(root)])
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
