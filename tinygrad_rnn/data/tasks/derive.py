"""Write digits.npz and text.txt next to this file, as README.md describes them.

    pip install scikit-learn
    python tinygrad_rnn/data/tasks/derive.py

The text comes from examples/data/sentences.txt. The same sources give the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SENTENCES = FOLDER.parents[2] / "examples" / "data" / "sentences.txt"


def main() -> None:
    """Write both files."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    np.savez_compressed(FOLDER / "digits.npz", images=images, digits=labels)
    text = SENTENCES.read_text(encoding="utf-8")[:60_000]
    (FOLDER / "text.txt").write_text(text[: text.rindex("\n") + 1], encoding="utf-8")


if __name__ == "__main__":
    main()
