"""Matplotlib for the plots: figures without a window, labels of any kind, the same SVG every time.

Figures are made directly, not through `pyplot`: nothing is registered, no backend is chosen.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..style.palette import FONT
from ..style.text import fitted, power, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["AMOUNT", "COLOURS", "INK", "LINE", "POINT", "SIGNED", "SOFT"]
__all__ += ["axes", "finish", "heatmap", "legend", "log_axis", "name_steps", "new_figure", "svg"]

INK, SOFT, LINE = "#1f2733", "#69748a", "#c9d0db"
COLOURS = ("#d9493b", "#3f74e0", "#2b9a66", "#a35cc4", "#c9861f", "#5b8fa8")  # on light and dark
# Colour maps fade to the paper, light or dark: what is pale is small.
SIGNED = ("#d9493bff", "#d9493b00", "#3f74e000", "#3f74e0ff")
AMOUNT = ("#d9493b12", "#d9493bff")

POINT = 72.0  # to the inch, as in SVG: sizes here are in px of the SVG
# Where the default font lacks letters: those of them that are installed.
_FALLBACKS = (
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "Hiragino Sans",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
    "Noto Sans",
    "Noto Sans Symbols",
    "Segoe UI",
)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in px of its SVG. ImportError where Matplotlib is missing."""
    try:
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        figure = _figure_class()
    except ImportError as error:
        raise ImportError(
            "plots need Matplotlib, which is not installed: pip install 'tinygrad-rnn[plot]'"
        ) from error
    layout = ConstrainedLayoutEngine(w_pad=5 / POINT, h_pad=7 / POINT, wspace=0.03, hspace=0.03)
    return figure((width / POINT, height / POINT), layout=layout)


@cache
def _figure_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class Plot(Figure):
        """A figure that does not warn of letters that no font here has."""

        def draw(self, renderer: Any) -> None:
            with _any_letter():
                super().draw(renderer)

    return Plot


@contextmanager
def _any_letter() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the axes of a new figure."""
    return ax if ax is not None else new_figure(width, height).add_subplot()


def finish(ax: Axes, title: str = "") -> None:
    """Colours and fonts of all that `ax` holds; what is written is text, not mathematics."""
    from matplotlib.text import Text

    if title:
        ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.tick_params(colors=SOFT, labelsize=9, length=0, pad=5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(LINE)
    texts = [text for text in ax.findobj(Text) if isinstance(text, Text)]
    written = "".join(text.get_text() for text in texts)
    families = _families(written)
    for text in texts:
        text.set_parse_math(False)
        text.set_fontfamily(families)
        if text.get_color() == "black":
            text.set_color(INK)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(SOFT)
        label.set_fontsize(10)


def _families(written: str) -> list[str]:
    """The default font and, for letters that it lacks, an installed one that has most of them."""
    from matplotlib import font_manager

    def lacking(family: str, letters: set[str]) -> set[str]:
        properties = font_manager.FontProperties(family=[family])
        font = font_manager.get_font(font_manager.findfont(properties))
        return {letter for letter in letters if not font.get_char_index(ord(letter))}

    found = ["sans-serif"]
    missing = lacking(found[0], set(written))
    installed = {font.name for font in font_manager.fontManager.ttflist} if missing else set()
    for family in _FALLBACKS:
        if missing and family in installed:
            left = lacking(family, missing)
            found += [family] if left < missing else []
            missing = left
    return found


def name_steps(ax: Axes, labels: Sequence[str] | None, count: int, longest: float = 90.0) -> float:
    """Write under `ax` what stands at each step: its number, or its label as far as there is room.

    `longest`: the px that a label takes at most. Returns how far down they reach, in px.
    ValueError if there is no label for some step.
    """
    if labels is not None and len(labels) < count:
        raise ValueError(f"{len(labels)} labels for {count} steps")
    names = map(str, range(count)) if labels is None else labels[:count]
    plain = [fitted(_printable(name), 9, longest) for name in names]
    room = _width(ax) / max(count, 1)
    widest = max((text_width(name, 9) for name in plain), default=0.0)
    needed = widest + (12.0 if labels is None else 2.0)
    upright = labels is not None and needed > max(room, 24.0)
    every = math.ceil((13.0 if upright else needed) / room)
    if labels is None:
        every = next(n for n in _round_numbers() if n >= every)
    # Upright labels hang from their ends, in whatever font they are shown.
    how: dict[str, Any] = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
    ax.set_xticks(range(0, count, every), plain[::every], **(how if upright else {}))
    ax.set_xlim(-0.5, max(count, 1) - 0.5)
    return 5.0 + (1.15 * widest if upright else 11.0)


def legend(ax: Axes, below: float) -> None:
    """A legend `below` px under the axes, in as many columns as there is room for."""
    from matplotlib.transforms import ScaledTranslation

    handles, names = ax.get_legend_handles_labels()
    if not handles:
        return
    figure = ax.get_figure(root=True)
    assert figure is not None
    handle, gap = 2.2, 1.2  # in widths of an m
    widest = max(text_width(name, 9) for name in names) + 9 * (handle + gap + 0.8)
    down = ScaledTranslation(-9 / POINT, -below / POINT, figure.dpi_scale_trans)
    ax.legend(
        handles,
        names,
        frameon=False,
        fontsize=9,
        loc="upper left",
        bbox_to_anchor=(0.0, 0.0),
        bbox_transform=ax.transAxes + down,
        ncols=max(1, int(1.15 * _width(ax) / widest)),
        handlelength=handle,
        columnspacing=gap,
    )


def _width(ax: Axes) -> float:
    """About how wide the axes are, in px; the layout decides later."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return float(ax.get_position().width * figure.get_figwidth() * POINT)


def _round_numbers() -> Iterator[int]:
    ten = 1
    while True:
        yield from (ten, 2 * ten, 5 * ten)
        ten *= 10


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).replace("\u200b", "")


def log_axis(ax: Axes, low: float, high: float) -> None:
    """A logarithmic y axis over `low` to `high`, whole powers of ten, six ticks at most."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    every = next(n for n in _round_numbers() if n >= (last - first) / 6)
    ax.set_yscale("log")
    ax.set_ylim(10.0 ** (first - 0.02 * (last - first)), 10.0 ** (last + 0.02 * (last - first)))
    exponents = range(last - (last % every), first - 1, -every)
    ax.set_yticks([10.0**e for e in exponents], [power(e) for e in exponents])
    ax.minorticks_off()
    ax.grid(axis="y", color=LINE, linewidth=0.7, alpha=0.7)
    ax.set_axisbelow(True)


def heatmap(
    ax: Axes,
    values: Any,
    colours: Sequence[str],
    low: float,
    high: float,
    missing: bool = True,
    ends: tuple[str, str] | None = None,
) -> None:
    """A cell for each value (rows, columns), coloured from `low` to `high`.

    `missing`: whether NaN is grey, rather than nothing. `ends`: what is written at the ends of a
    scale of the colours, beside the map.
    """
    from matplotlib.colors import LinearSegmentedColormap

    places = (0.0, 1.0) if len(colours) == 2 else (0.0, 0.5, 0.5, 1.0)
    mixed = LinearSegmentedColormap.from_list("viz", list(zip(places, colours)), 256)
    colour_map = mixed.with_extremes(bad=SOFT + ("38" if missing else "00"))
    look: dict[str, Any] = {"cmap": colour_map, "aspect": "auto", "interpolation": "none"}
    if np.size(values):
        ax.imshow(values, vmin=low, vmax=high, **look)
    ax.spines[:].set_visible(False)
    if ends is not None:
        scale = ax.inset_axes((1.04, 0.0, 0.05, 1.0))
        scale.imshow([[n] for n in range(32, -1, -1)], **look)
        scale.spines[:].set_visible(False)
        scale.set_xticks([])
        scale.set_yticks([0, 32], reversed(ends))
        scale.yaxis.tick_right()
        finish(scale)


def svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element, the same bytes on every run.

    `name`: what its identifiers begin with; another one for each figure of a page.
    """
    from matplotlib import rc_context

    written = io.StringIO()
    rules: dict[Any, Any] = {"svg.fonttype": "none", "svg.image_inline": True, "svg.hashsalt": name}
    with rc_context(rules), _any_letter():  # the viewer's fonts may have it: text stays text
        figure.savefig(
            written,
            format="svg",
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
            transparent=True,
        )
    text = written.getvalue()
    text = text[text.index("<svg") :]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    head, _, rest = text.partition(">")
    head = re.sub(r'="([\d.]+)pt"', r'="\1"', head)
    return f'{head} font-family="{FONT}">{rest}'
