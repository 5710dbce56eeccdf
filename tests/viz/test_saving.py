"""Every picture can be saved as SVG, PNG and PDF, and follows the theme, light or dark."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz


def lstm_map() -> viz.Picture:
    return viz.bptt(nn.LSTM(2, 3), tg.ones(3, 1, 2), level="gates")


PICTURES: dict[str, Callable[[], Any]] = {
    "map": lstm_map,
    "comparison": lambda: viz.Comparison([lstm_map(), lstm_map()]),
    "chart": lambda: viz.plot_gates(viz.gates(nn.GRU(2, 3), tg.ones(4, 1, 2)), "name"),
    "plan": lambda: viz.stages(nn.RNNCell(2, 3).plan()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_saved_as_svg_png_and_pdf(name: str, tmp_path: Path) -> None:
    pytest.importorskip("cairosvg", reason="needs the extra `pictures`")
    picture = PICTURES[name]()
    starts = {"svg": b"<svg ", "png": b"\x89PNG", "pdf": b"%PDF"}
    for form, start in starts.items():
        written = picture.save(tmp_path / f"a.{form}").read_bytes()
        assert written.startswith(start) and len(written) > 2000


@pytest.mark.parametrize("name", PICTURES)
def test_korean_letters_are_drawn_in_a_font_that_has_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bytes] = []
    cairosvg = SimpleNamespace(svg2png=lambda bytestring, scale: given.append(bytestring) or b"")
    monkeypatch.setitem(sys.modules, "cairosvg", cairosvg)
    with viz.use_language("ko"):
        PICTURES[name]().save(tmp_path / "a.png")
    texts = ElementTree.fromstring(given[0]).iter("{http://www.w3.org/2000/svg}text")
    korean = [t for t in texts if re.search("[가-힣]", "".join(t.itertext()))]
    assert all("Noto Sans CJK KR" in t.get("style", "") for t in korean)
    assert korean or name == "plan"


@pytest.mark.parametrize("name", PICTURES)
def test_it_follows_the_theme_and_no_letter_is_smaller_than_10_px(name: str) -> None:
    svg = PICTURES[name]().svg()
    light, _, dark = svg.partition("@media(prefers-color-scheme:dark)")
    assert ".paper{fill:#ffffff}" in light and ".paper{fill:#14181f}" in dark
    assert min(float(size) for size in re.findall(r"font-size:([\d.]+)px", svg)) >= 10


def test_what_is_still_knows_one_theme_alone() -> None:
    assert "@media" not in lstm_map().svg(still=True)


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_without_cairosvg_the_error_names_the_extra(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(ImportError, match=r"install '\S*\[pictures\]'"):
        lstm_map().save(tmp_path / f"a.{form}")
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'a.gif' should end in .svg or .png or .pdf"):
        PICTURES["chart"]().save(tmp_path / "a.gif")
