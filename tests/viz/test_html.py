from __future__ import annotations

import json
import re
import shutil

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.viz.page.stats import summary
from tinygrad_rnn.viz.style.palette import TEXT
from tinygrad_rnn.viz.style.text import text_width

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
    assert page.count("<script") == 3 and "<script>alert" not in page
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


def test_the_numbers_told_of_a_parameter_are_those_of_its_use_in_the_step():
    w = tg.tensor([[0.5, 0.1], [0.2, 0.3]], requires_grad=True).named("W")
    h, uses = tg.ones(1, 2), []
    for t in range(3):
        with tg.scope("cell", step=t):
            uses.append(w.detach().requires_grad_())
            h = tg.tanh(h @ uses[-1])
    expected = [float(tg.norm(g).item()) for g in tg.grad(h.sum(), uses)]
    h = tg.ones(1, 2)
    for t in range(3):
        with tg.scope("cell", step=t):
            h = tg.tanh(h @ w)
    boxes = data_of(viz.draw(h.sum()).html())["levels"]["ops"]["boxes"]
    facts = next(box for box in boxes if box["op"] == "matmul")["at"]
    told = [facts[str(t)]["parameters"]["W"] for t in range(3)]
    assert [gradient for _, gradient in told] == pytest.approx(expected, rel=1e-3)
    assert told[0][0] == pytest.approx(float(tg.norm(w).item()), rel=1e-3)


def test_what_the_states_start_from_is_told_too():
    boxes = data_of(picture()[0].html())["levels"]["modules"]["boxes"]
    assert [box["op"] for box in boxes if box["label"] == "gate = 0"] == ["input"]


@pytest.fixture
def browser_page(tmp_path):
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright and a browser")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs playwright and a browser")
    shown, _ = picture(steps=4)
    path = shown.save(tmp_path / "a.html")
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 700})
        errors, requests = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        yield page
        browser.close()
        assert errors == []
        assert set(requests) == {path.as_uri()}


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
    assert page.inner_text("#found") == "5 found"
    page.keyboard.press("Enter")
    assert "gate = 0 (input)" in page.inner_text("#info")
    page.keyboard.press("Enter")
    assert "tanh" in page.inner_text("#info")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.dataset.theme") in ("dark", "light")
    before = page.locator("#svg-ops").get_attribute("viewBox")
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#svg-ops").get_attribute("viewBox") != before


def test_choosing_a_box_by_key_tells_its_numbers(browser_page):
    page = browser_page
    page.locator("#stage").focus()
    page.keyboard.press("p")
    text = page.inner_text("#info")
    assert "value norm" in text and "gradient norm" in text


def test_the_mouse_moves_zooms_and_points(browser_page):
    page = browser_page

    def seen():
        return [float(n) for n in page.locator("#svg-ops").get_attribute("viewBox").split()]

    page.click("#actual")
    assert seen()[2] == page.locator("#stage").bounding_box()["width"]
    before = seen()
    page.mouse.move(600, 300)
    page.mouse.down()
    page.mouse.move(500, 280)
    page.mouse.up()
    assert seen()[:2] == pytest.approx([before[0] + 100, before[1] + 20], abs=1)
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"view.w < {before[2]}")
    page.click("#fit")
    place = page.evaluate(
        """() => { const b = boxes().find(({ box }) => box.name === "gate"), s = shown(),
        size = stage.getBoundingClientRect();
        return [(b.x + 5 - s.x) / s.scale + size.left, (b.y + 5 - s.y) / s.scale + size.top]; }"""
    )
    page.mouse.move(*place)
    text = page.inner_text("#info")
    assert "gate (tanh)" in text and "float32 1×2" in text and "value norm" in text
    page.mouse.move(5, 300)
    assert page.locator("#info").is_hidden()


def test_every_button_is_reached_by_the_keyboard_and_the_play_button_plays(browser_page):
    page = browser_page
    reached = set()
    for _ in range(13):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    wanted = {
        "level-rolled",
        "level-ops",
        "play",
        "time",
        "speed",
        "search",
        "fit",
        "actual",
        "theme",
    }
    assert wanted | {"stage"} <= reached
    page.select_option("#speed", "120")
    page.locator("#play").focus()
    page.keyboard.press("Space")
    page.wait_for_function("time.value === time.max", timeout=10_000)
    assert page.locator(".later").count() == 0


def test_stepping_keeps_the_step_in_sight(browser_page):
    page = browser_page
    page.set_viewport_size({"width": 500, "height": 500})
    page.click("#level-ops")
    page.click("#actual")
    page.locator("#stage").focus()
    page.evaluate("goTo(4)")  # the last step forward
    x, _, width, _ = (float(n) for n in page.locator("#svg-ops").get_attribute("viewBox").split())
    assert x < page.evaluate("drawing().places[3]") < x + width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_theme_of_the_system(browser_page, scheme):
    page = browser_page
    page.emulate_media(color_scheme=scheme)
    page.reload()
    papers = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 31)"}
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == papers.pop(scheme)
    page.keyboard.press("d")  # the other one, by the reader's choice
    assert page.evaluate(colour) == papers.popitem()[1]


LABELS = [
    "forget gate",
    "weight_hh_l0_reverse",
    "망각 게이트",
    "한국어 매개변수",
    "記憶セル",
    "∂h (t−1)",
]


@pytest.mark.parametrize("label", LABELS)
def test_no_label_is_wider_than_its_box_thinks(browser_page, label):
    """The width that boxes are made for is at least what the browser's font takes."""
    drawn = browser_page.evaluate(
        """(label) => {
          const text = document.createElementNS(NS, "text");
          text.textContent = label;
          svg().append(text);
          const width = text.getComputedTextLength();
          text.remove();
          return width;
        }""",
        label,
    )
    assert 0.5 * text_width(label, TEXT) < drawn <= text_width(label, TEXT) + 2


def test_a_long_picture_opens_at_the_loss(browser_page):
    page = browser_page
    page.set_viewport_size({"width": 400, "height": 500})
    page.click("#level-ops")
    for button in (None, "#fit", "#actual"):
        if button:
            page.click(button)
        x, _, width, _ = (
            float(n) for n in page.locator("#svg-ops").get_attribute("viewBox").split()
        )
        assert x < page.evaluate("drawing().ends[-2]") < x + width
        assert x > 0


def test_pointing_at_a_box_says_what_its_op_does():
    boxes = data_of(picture()[0].html())["levels"]["ops"]["boxes"]
    about = {box["op"]: box["about"] for box in boxes}
    assert about["matmul"].startswith("The matrix product")
