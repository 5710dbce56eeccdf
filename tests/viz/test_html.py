from __future__ import annotations

import json
import re
import shutil

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.viz.stats import summary

HOSTILE = '</script><script>alert("x")</script>'


def picture(steps=3, name="gate"):
    w = tg.tensor([[0.5, 0.1], [0.2, 0.3]], requires_grad=True).named("W")
    h = tg.zeros((1, 2))
    for t in range(steps):
        with tg.scope("cell", step=t):
            h = tg.tanh(h @ w + 1.0).named(name)
    return viz.draw(h.sum(), title=name), h


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])


def test_the_page_is_whole_needs_no_network_and_is_the_same_on_every_run(tmp_path):
    page = picture()[0].save(tmp_path / "a.html").read_text(encoding="utf-8")
    assert page == picture()[0].html()
    assert set(re.findall(r"https?://[^\"' ]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert list(data_of(page)["levels"]) == ["rolled", "modules", "gates", "ops"]


def test_hostile_names_stay_text():
    page = picture(name=HOSTILE)[0].html()
    assert page.count("<script") == 2 and "<script>alert" not in page
    names = {box["name"] for box in data_of(page)["levels"]["ops"]["boxes"]}
    assert HOSTILE in names


def test_the_numbers_told_are_those_of_the_values_and_gradients():
    shown, h = picture(steps=2)
    boxes = data_of(shown.html())["levels"]["ops"]["boxes"]
    facts = next(box for box in boxes if box["name"] == "gate")["at"]["1"]
    assert facts["value"]["max"] == pytest.approx(float(h.data.max()), rel=1e-3)
    assert facts["gradient"]["mean"] == 1.0 and facts["shape"] == "1×2"


def test_summary_counts_what_is_not_finite():
    found = summary([1.0, float("nan"), 3.0], bins=2)
    assert (found["bad"], found["mean"], found["bins"]) == (1, 2.0, [1, 1])


@pytest.fixture
def browser_page(tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the browser chromium")
    shown, _ = picture(steps=4)
    path = shown.save(tmp_path / "a.html")
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 700})
        errors = []
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        yield page
        browser.close()
        assert errors == []


def test_levels_slider_search_and_keys_in_a_browser(browser_page):
    page = browser_page
    page.click("#level-modules")
    assert page.locator("svg[id^=svg-]:not([hidden])").get_attribute("id") == "svg-modules"
    page.locator("#stage").focus()
    page.keyboard.press("4")
    assert page.locator("svg[id^=svg-]:not([hidden])").get_attribute("id") == "svg-ops"
    page.evaluate("time.value = 0; time.dispatchEvent(new Event('input'))")
    assert page.locator("#svg-ops > g.later").count() == page.locator("#svg-ops > g").count()
    page.keyboard.press(".")
    assert page.inner_text("#when") == "forward, t = 0"
    for _ in range(4):
        page.keyboard.press(".")
    assert page.inner_text("#when") == "backward, t = 3"
    page.keyboard.press("/")
    page.keyboard.type("gate")
    assert page.inner_text("#found") == "4 found"
    page.keyboard.press("Enter")
    assert "tanh" in page.inner_text("#info")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.dataset.theme") in ("dark", "light")
    before = page.locator("#svg-ops").get_attribute("viewBox")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#svg-ops").get_attribute("viewBox") != before


def test_pointing_at_a_box_tells_its_numbers(browser_page):
    page = browser_page
    page.locator("#svg-ops [data-f='2'] use").last.hover(force=True)
    page.locator("#stage").focus()
    page.keyboard.press("n")
    text = page.inner_text("#info")
    assert "value norm" in text and "gradient norm" in text
