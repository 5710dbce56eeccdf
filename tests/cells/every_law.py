"""All laws of all published cells, each alone and as a layer of two in both directions.

python tests/cells/every_law.py              prints a line for each; exit status 1 if one fails
python tests/cells/every_law.py mingru lem   these alone
"""

from __future__ import annotations

import sys
import time
import warnings
from functools import partial
from typing import Any

from tinygrad_rnn import cells, nn
from tinygrad_rnn.testing import CellError, check_cell

SIZES = {"convlstm": {"image_size": (2, 2), "input_shape": (2, 2, 2)}}
"""What a cell is made with and given beside sizes of two."""


def _layer(cell: type[nn.Cell], **sizes: Any) -> nn.Recurrent:
    return nn.Recurrent(cell(**sizes), num_layers=2, bidirectional=True)


def main() -> int:
    """The number of cells and layers that break a law."""
    known, failed = cells.discover(), 0
    for name in sys.argv[1:] or known:
        for kind, make in (("cell", known[name]), ("layer", partial(_layer, known[name]))):
            start = time.perf_counter()
            try:
                sizes = {"input_size": 2, "hidden_size": 2, **SIZES.get(name, {})}
                report = check_cell(make, seconds=600, **sizes)
            except CellError as error:
                report, failed = error.report, failed + 1
                print(error)
            seconds = time.perf_counter() - start
            holding = sum(law.verdict == "holds" for law in report.laws)
            print(
                f"{name:20} {kind:5}  {holding} hold, {len(report.broken)} broken  {seconds:.1f} s"
            )
    return failed


if __name__ == "__main__":
    warnings.simplefilter("error")
    sys.exit(main() > 0)
