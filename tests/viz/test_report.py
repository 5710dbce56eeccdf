from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

HOSTILE = '</script><script>alert("x")</script>'


def written(path, labels="Nowak", names=("RNN", "LSTM"), title="Nowak", layers=1):
    tg.manual_seed(0)
    models = dict(zip(names, [nn.RNN(2, 3, layers), nn.LSTM(2, 3, layers)]))
    x = tg.randn(5, 1, 2, requires_grad=True).named("letter")
    viz.report(path / "report.html", models, x, labels, title=title)
    return (path / "report.html").read_text(encoding="utf-8")


def headings(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


SECTIONS = ["Gradient flow", "Gates", "Backpropagation through time"]
SECTIONS += ["The parts of the gradient", "Connectivity"]


def test_the_report_has_every_view_of_every_model(tmp_path):
    page = written(tmp_path)
    assert headings(page) == SECTIONS
    assert page.count("<figure") == 1 + 4 * 2
    assert [word for word in SECTIONS if f">{word}<" in page] == SECTIONS
    for name in ("RNN h", "LSTM h", "LSTM c", "forget gate", "weight_hh_l0", "share of each path"):
        assert f">{name}<" in page


def test_the_page_is_well_formed_needs_no_network_and_is_the_same_on_every_run(tmp_path):
    page = written(tmp_path)
    assert page == written(tmp_path)
    ET.fromstring(re.sub(r"<meta[^>]*>", "", page.partition("\n")[2]))
    links = set(re.findall(r"https?://[^\"' ]+", page))
    assert links <= {"http://www.w3.org/2000/svg"}
    assert page.count("<script") == 1  # the button for the theme
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)


def test_hostile_and_wide_words_stay_text(tmp_path):
    labels = [HOSTILE, "김", "$x$", "\x00", "&"]
    page = written(tmp_path, labels, names=(HOSTILE, "한국어"), title=HOSTILE)
    assert (
        page.count("<script") == 1
        and "<script>alert" not in page
        and page.partition("<body>")[0].count("<title>") == 1
    )
    assert ">김<" in page


def test_every_layer_has_its_connectivity(tmp_path):
    page = written(tmp_path, layers=2)
    assert [f"LSTM, LSTM.l{n}<" in page for n in (0, 1)] == [True, True]


def test_each_model_may_be_given_an_input_of_its_own(tmp_path):
    models = {"narrow": nn.RNN(2, 3), "wide": nn.RNN(4, 3)}
    x = {"narrow": tg.randn(5, 1, 2), "wide": tg.randn(5, 1, 4)}
    page = viz.report(tmp_path / "a.html", models, x, "Nowak").read_text(encoding="utf-8")
    assert ">narrow<" in page and ">wide<" in page


def test_a_model_that_hands_nothing_on_is_reported_too(tmp_path):
    def model(x):
        with tg.scope("only", step=0):
            return tg.tanh(x).named("h")

    x = tg.ones(1, 2, requires_grad=True)
    page = viz.report(tmp_path / "a.html", {"one": model}, x, "x").read_text(encoding="utf-8")
    assert headings(page) == SECTIONS[:-1]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1080, 390])
def test_in_a_browser_it_fits_the_screen_and_nothing_complains(tmp_path, width, theme):
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright and a browser")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs playwright and a browser")
    written(tmp_path)
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
        errors = []
        page.on("console", lambda message: errors.append(message.text))
        page.on("request", lambda request: errors.append(request.url))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        ink = page.evaluate(
            "getComputedStyle(document.querySelector('figcaption')).color === "
            "getComputedStyle([...document.querySelectorAll('figure text')]"
            ".find(e => e.textContent === 'LSTM h')).fill"
        )
        assert ink, "the plots' ink is the page's"
        browser.close()
    assert errors == [(tmp_path / "report.html").as_uri()]
