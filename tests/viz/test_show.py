"""The lessons: what they draw are runs of real networks, at every position of every slider."""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.show.networks import gradients, inputs, lstm, rnn, unrolled
from tinygrad_rnn.viz.show.no_future import _influence
from tinygrad_rnn.viz.show.truncation import _weights


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter() if e.tag.endswith("}text")]


@pytest.mark.parametrize("name", viz.LESSONS)
def test_every_lesson_asks_says_what_to_look_at_and_points_at_it(name: str) -> None:
    svg = viz.show(name).svg()
    said = texts(svg)
    lesson = viz.LESSONS[name]
    assert lesson.question in said and lesson.look in " ".join(said)
    assert svg.count('class="alarm"') >= 1
    assert len(lesson.why) >= 2 and len(lesson.turn) >= 2


def test_the_gradients_are_those_of_a_layer_of_the_package() -> None:
    cell = lstm(1.0)
    found = gradients(unrolled(cell, inputs(6)), 6)
    layer = nn.Recurrent(cell)
    flow = viz.gradient_flow(layer, tg.tensor(inputs(6)), lambda result: result[0][-1].sum())
    ((_, expected),) = flow.items()
    for name in ("h", "c"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9)


@pytest.mark.parametrize("radius", [0.5, 1.3])
def test_the_spectral_radius_is_the_one_asked_for(radius: float) -> None:
    weights: Any = dict(rnn(radius).named_parameters())["weight_hh"]
    assert np.abs(np.linalg.eigvals(weights.data)).max() == pytest.approx(radius)


def test_the_lstm_vanishes_with_a_forget_gate_at_one_half_and_does_not_with_an_open_one() -> None:
    shares = []
    for bias in (0.0, 3.0):
        c = gradients(unrolled(lstm(bias), inputs(100)), 100)["c"]
        shares.append(c[0] / c.max())
    assert shares[0] < 1e-15 and shares[1] > 0.1
    assert "vanished" in viz.show("vanishing", forget_bias=0).svg().partition("LSTM")[2]
    assert "vanished" not in viz.show("vanishing", forget_bias=3).svg().partition("LSTM, b")[2]


def test_an_output_depends_on_no_later_input_unless_the_layer_reads_both_ways() -> None:
    for t in (0, 49, 99):
        one, both = _influence(False, t), _influence(True, t)
        assert not one[t + 1 :].any() and one[: t + 1].all()
        assert both.all() or t in (0, 99)


def test_what_is_cut_off_is_what_a_truncated_layer_loses() -> None:
    layer = nn.Recurrent(lstm(3.0), truncate=20)
    layer(tg.tensor(inputs(100)))[1][0][0].sum().backward()
    whole, part = _weights(None), _weights(20)
    share = np.linalg.norm(part) / np.linalg.norm(whole)
    assert f"{100 * share:.2g}" in "".join(texts(viz.show("truncation", truncate=20).svg()))
    grads = [p.grad.data.ravel() for p in layer.parameters()]  # type: ignore[union-attr]
    np.testing.assert_allclose(part, np.concatenate(grads))


def data_of(page: str) -> Any:
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])  # type: ignore[index]


@pytest.mark.parametrize("name", ["truncation", "no-future"])
def test_the_page_holds_a_picture_for_every_position_of_the_sliders(name: str) -> None:
    page = viz.show(name).html()
    data = data_of(page)
    for card in data["cards"]:
        stops = [range(len(data["knobs"][k]["values"])) for k in card["knobs"]]
        keys = {",".join(map(str, places)) for places in itertools.product(*stops)}
        assert set(card["frames"]) == keys
        for frame in card["frames"].values():
            ET.fromstring(f"<svg>{frame}</svg>")
    assert not re.findall(r"https?://(?!www\.w3\.org)", page)


def test_a_knob_may_be_set_to_any_value_that_makes_sense() -> None:
    lesson = viz.show("truncation", truncate=7)
    assert 7.0 in lesson.lesson.knobs[0].positions
    assert "Cut every 7 steps" in texts(lesson.svg())


@pytest.mark.parametrize(
    ("name", "knobs", "message"),
    [
        ("vanish", {}, "there is no lesson 'vanish'; there are vanishing, exploding"),
        ("gates", {"truncate": 3}, "'gates' has no truncate; it has forget_bias, steps"),
        ("truncation", {"truncate": 0}, "truncate is 0, but must be a whole number from 1 to 100"),
        ("vanishing", {"steps": 2.5}, "steps is 2.5, but must be a whole number"),
        ("vanishing", {"forget_bias": math.nan}, "forget_bias is nan, but must be a number"),
    ],
)
def test_wrong_lessons_and_knobs_are_refused(
    name: str, knobs: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        viz.show(name, **knobs)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the browser chromium")
    path = viz.show("truncation").save(tmp_path / "a.html")
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        errors: list[str] = []
        shown.on("console", lambda message: errors.append(message.text))
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.on("request", lambda request: errors.append(request.url))
        shown.goto(path.as_uri())
        yield shown
        browser.close()
    assert errors == [path.as_uri()]


def test_a_slider_changes_the_network_in_a_browser_and_the_page_fits_a_phone(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert "Cut every 20 steps" in page.locator("#c1").text_content()
    page.locator("#k0").focus()
    page.keyboard.press("ArrowLeft")
    assert "Cut every 10 steps" in page.locator("#c1").text_content()
    assert page.inner_text("#v0") == "10"
    assert "exactly 0" in page.locator("#c1").get_attribute("aria-label")
    size = page.evaluate(
        "Math.min(...[...document.querySelectorAll('.card text')].map(e => "
        "parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a))"
    )
    assert size >= 9.0
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
