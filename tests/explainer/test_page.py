"""The built page in a browser: its numbers, errors, endless loops, and life without a network."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_rnn.cli.commands.explain import server

ROOT = Path(__file__).parents[2]
SITE = Path(
    os.environ.get("TINYGRAD_RNN_EXPLAINER", ROOT / "docs" / "_build" / "site" / "explainer")
)
SETTINGS = {"task": "adding", "steps": 8, "hidden": 4}


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """The page with both pictures, and what went wrong in it or was asked of other servers."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the browser chromium")
    if not (SITE / "service.js").is_file():
        pytest.skip("the explainer is not built: python docs/explainer/build.py (with Node.js)")
    serving = server(SITE, 0)
    serve(serving)
    address = f"http://127.0.0.1:{serving.server_port}/"
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(locale="en-US")
        page = context.new_page()
        page.serving, page.faults = serving, []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda m: page.faults.append(m.text) if m.type == "error" else None)
        inside = (address, "file:", "data:", f"blob:{address}")
        context.on(
            "request",
            lambda r: None if r.url.startswith(inside) else page.faults.append(f"asked {r.url}"),
        )
        page.goto(address)
        until(page, "document.querySelectorAll('.side[data-shown]').length === 2", 180)
        yield page
        browser.close()
    serving.server_close()
    assert page.faults == []


@pytest.fixture
def plain() -> Iterator[str]:
    """The address of a server as there are many, which sends no header of its own."""

    class Files(SimpleHTTPRequestHandler):
        extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

        def log_message(self, format: str, *args: Any) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(SITE)))
    serve(serving)
    yield f"http://127.0.0.1:{serving.server_port}/"
    serving.shutdown()
    serving.server_close()


def serve(serving: Any) -> None:
    threading.Thread(target=serving.serve_forever, daemon=True).start()


def until(page: Any, condition: str, seconds: float = 60) -> None:
    """Wait. (`wait_for_function` needs eval, which the page forbids.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def edit(page: Any, side: str, old: str, new: str) -> str:
    """Type into the editor of a side, as far as the page can tell; returns the text before."""
    text: str = page.evaluate(f"explainer.sides.{side}.editor.text")
    assert old in text
    page.evaluate(
        "([side, text]) => { const { view } = explainer.sides[side].editor; view.dispatch("
        "{ changes: { from: 0, to: view.state.doc.length, insert: text } }); }",
        [side, text.replace(old, new)],
    )
    return text


def test_the_numbers_are_the_native_ones(
    page: Any, ask: Callable[..., Any], cells: dict[str, str]
) -> None:
    shared = {"settings": SETTINGS}
    sides = {
        "a": {"text": cells["gru"], "knobs": {"radius": 0.9}},
        "b": {"text": cells["lstm"], "knobs": {"forget gate": 1.0}},
    }
    questions: list[dict[str, Any]] = [{"what": "reset"}]
    questions += [{"what": "look", "side": name, **shared, **own} for name, own in sides.items()]
    questions += [{"what": "train", "sides": sides, **shared, "budget": 60, "updates": 4}]
    questions += [{"what": "flows"}]
    for question in questions:
        here = ask(**question)
        there = page.evaluate("question => explainer.python.ask(question)", question)
        assert "error" not in here and here.keys() == there.keys()
        for key in {"values", "gradients", "flow", "losses", "flows", "radius"} & here.keys():
            assert close(here[key], there[key]), (question["what"], key)
    page.evaluate("explainer.python.ask({ what: 'reset' })")


def close(here: Any, there: Any) -> bool:
    """Whether two nests of numbers are the same to rounding (float32, four digits are sent)."""
    if isinstance(here, dict):
        return here.keys() == there.keys() and all(close(here[k], there[k]) for k in here)
    return bool(np.allclose(here, there, rtol=2e-3, atol=1e-6))


def test_an_edit_shows_in_the_picture_and_an_error_names_its_line(page: Any) -> None:
    shown = "explainer.sides.b.stage.svg.textContent.includes"
    right = edit(page, "b", '"forget gate"', '"door"')
    until(page, f"{shown}('door')")
    assert page.evaluate("explainer.sides.b.found.values.door.length") == 20
    edit(page, "b", "f * c + i * g", "f * c + i * gg")
    page.wait_for_selector("#error-b:not([hidden])")
    assert "Line 24: NameError: name 'gg' is not defined" in page.inner_text("#error-b")
    page.evaluate("text => { explainer.sides.b.editor.text = ''; }", right)
    edit(page, "b", "", right)
    page.wait_for_selector("#error-b", state="hidden")
    until(page, f"{shown}('forget gate')")


def test_undo_stops_at_the_text_that_was_loaded(page: Any) -> None:
    page.evaluate("explainer.sides.a.start('gru')")
    right = edit(page, "a", "class GRU", "class Other")
    until(page, "explainer.sides.a.found.name === 'Other'")
    page.evaluate("explainer.sides.a.toggleCode(true); explainer.sides.a.editor.view.focus()")
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert page.evaluate("explainer.sides.a.editor.text") == right
    until(page, "explainer.sides.a.found.name === 'GRU' && !explainer.python.busy")
    page.evaluate("explainer.sides.a.toggleCode(false)")


def test_the_tour_leaves_the_readers_cell_and_settings(page: Any) -> None:
    page.evaluate("explainer.sides.a.start('rnn')")
    own = edit(page, "b", "f * c", "0 * c").replace("f * c", "0 * c")
    until(page, "explainer.sides.b.found.flow.c[0] < 1e-12")
    page.click("#tour-open")
    until(page, "explainer.state.settings.steps === 6 && !explainer.python.busy", 120)
    assert "f * c" in page.evaluate("explainer.sides.b.editor.text")
    page.select_option("#cell-b", "")  # the reader's own cell, within the tour
    assert page.evaluate("explainer.sides.b.editor.text") == own
    page.click("#tour .end")
    until(page, "explainer.state.settings.steps === 20 && !explainer.python.busy", 120)
    until(page, "explainer.sides.b.found.flow.c.length === 20")
    assert page.evaluate("explainer.sides.b.editor.text") == own
    assert page.input_value("#cell-b") == "" and page.input_value("#level") == "gates"
    page.select_option("#cell-b", "lstm")
    page.evaluate(
        "explainer.state.sides.b.knobs['forget gate'] = 3; explainer.sides.b.on.onchange('b')"
    )
    until(page, "!explainer.python.busy && explainer.sides.b.found.knobs['forget gate'] === 3")


NAMELESS = """() => {
  const found = [], shown = (selector) =>
    [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility());
  const labels = (e) => [...(e.labels ?? [])].map((l) => l.textContent).join("");
  const name = (e) => e.getAttribute("aria-label") || labels(e) || e.textContent.trim() || e.title;
  const small = (e) => e.tagName === "BUTTON" && e.getBoundingClientRect().height < 24;
  for (const e of shown("button, select, input, a[href], [role=textbox], [tabindex='0']"))
    if (!name(e) || small(e)) found.push(e.outerHTML.slice(0, 120));
  for (const e of shown("svg[role=img]"))
    if (!e.getAttribute("aria-label")) found.push(e.outerHTML.slice(0, 120));
  return found;
}"""


def test_all_that_can_be_used_has_a_name_and_a_size_to_hit(page: Any) -> None:
    assert page.evaluate(NAMELESS) == []
    page.click("#tour-open")
    page.click(".stop >> nth=4")
    until(page, "document.querySelectorAll('[data-answer]').length === 3")
    assert page.evaluate(NAMELESS) == []
    page.click("#tour .end")
    until(page, "!explainer.python.busy", 120)


AXE = ROOT / "docs" / "explainer" / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
}"""


def test_axe_finds_nothing_light_dark_and_on_a_phone(page: Any) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not there: npm ci, in docs/explainer")
    page.evaluate(AXE.read_text() + "; 0")
    boxes = "explainer.sides.b.stage.picture.boxes"
    gate = f"{boxes}.find((b) => b.label === 'forget gate')"
    page.evaluate(f"explainer.sides.b.stage.choose({gate}, 5)")
    page.evaluate("explainer.sides.a.toggleCode(true); document.all.glossary.open = true")
    until(page, "document.querySelectorAll('.side')[1].querySelector('.lines li')")
    wide = page.viewport_size
    for theme, size in (("light", wide), ("dark", wide), ("light", {"width": 390, "height": 844})):
        page.set_viewport_size(size)
        if page.evaluate("document.documentElement.dataset.theme ?? 'light'") != theme:
            page.click("#theme")
        assert page.evaluate(VIOLATIONS) == [], (theme, size)
    page.click("#tour-open")
    page.click(".stop >> nth=4")
    until(page, "document.querySelectorAll('[data-answer]').length === 3 && !explainer.python.busy")
    assert page.evaluate(VIOLATIONS) == []
    page.click("#tour .end")
    page.set_viewport_size(wide)
    page.evaluate("explainer.sides.a.toggleCode(false)")
    until(page, "!explainer.python.busy", 120)


def test_the_keys_are_told_and_work(page: Any) -> None:
    page.focus("#train")
    page.keyboard.press("?")
    assert page.locator("dialog.keys[open] kbd").count() >= 10
    page.keyboard.press("Escape")
    page.evaluate("const { stage } = explainer.sides.b; stage.chosen = null; stage.host.focus()")
    page.keyboard.press("ArrowLeft")  # behind the last step there is no Jacobian
    page.keyboard.press("ArrowUp")  # from the first box back to the last line: one of a state
    until(page, "document.querySelectorAll('.side')[1].querySelectorAll('.matrix').length === 2")
    page.keyboard.press("ArrowDown")
    until(page, "document.querySelectorAll('.side')[1].querySelectorAll('.matrix').length === 0")


def test_what_is_no_number_is_said_and_not_drawn(page: Any) -> None:
    right = edit(page, "b", "f * c + i * g", "tg.log(c)")
    page.wait_for_selector("#error-b:not([hidden])")
    assert page.inner_text("#error-b").startswith("c is -inf at t = 0: ")
    page.evaluate("explainer.sides.b.editor.text = ''")
    edit(page, "b", "", right)
    page.wait_for_selector("#error-b", state="hidden")


def test_training_is_seen_and_can_be_gone_back_through(page: Any) -> None:
    page.click("#train")
    until(page, "explainer.training.updates >= 20", 120)
    page.click("#train")
    assert page.evaluate("document.querySelectorAll('#loss path.line').length") == 4  # and legend
    trained = page.evaluate("JSON.stringify(explainer.sides.a.found.values.h[19])")
    page.evaluate(
        "const m = document.getElementById('moment'); m.value = 0; "
        "m.dispatchEvent(new Event('input'));"
    )
    until(page, f"JSON.stringify(explainer.sides.a.found.values.h[19]) !== {trained!r}")
    assert page.evaluate("document.querySelectorAll('#loss .now').length") == 1
    knob = "document.querySelector('.side:last-child .knob output').textContent"
    until(page, f"{knob} === '3.000'")  # as it was before the training
    page.evaluate("explainer.training.goTo(1e9)")
    until(page, f"{knob} !== '3.000'")  # training has moved it


def test_a_gate_shows_its_arithmetic_and_a_state_its_jacobians(page: Any) -> None:
    boxes = "explainer.sides.b.stage.picture.boxes"
    page.evaluate(
        f"explainer.sides.b.stage.choose({boxes}.find((b) => b.label === 'forget gate'), 5)"
    )
    told = "document.querySelectorAll('.side')[1].querySelector('.lines li')?.textContent"
    until(page, f"{told}?.startsWith('forget gate·0 = σ(')")
    chain = page.locator(".side").nth(1).locator("ul.lines").all_inner_texts()
    assert chain[0].startswith("∂y/∂(forget gate) = ∂y/∂c ") and " × c[t−1] " in chain[0]
    assert " × σ′ " in chain[1]
    edge = "explainer.sides.b.stage.picture.edges.findIndex((e) => e.state === 'c')"
    page.evaluate(f"explainer.sides.b.stage.onedge({edge}, 5)")
    until(page, "document.querySelectorAll('.side')[1].querySelectorAll('.matrix').length === 2")


def test_the_tour_leads_through_its_stops(page: Any) -> None:
    page.click("#tour-open")
    for stop in range(1, 9):
        assert page.inner_text("#tour [aria-current]") == str(stop)
        name = page.evaluate("explainer.state.sides.a.cell").upper()
        until(page, f"explainer.sides.a.found.name === {name!r} && !explainer.python.busy")
        assert page.locator(".error:visible").count() == 0
        page.click("#tour .primary")
    assert page.locator("#tour").is_hidden()


def test_the_tour_leaves_what_was_learnt(page: Any) -> None:
    page.evaluate("explainer.sides.b.start('lstm')")
    until(page, "!explainer.python.busy")
    page.click("#train")
    until(page, "explainer.training.updates >= 6", 120)
    page.click("#train")
    until(page, "!explainer.python.busy")
    seen = "JSON.stringify([explainer.training.updates, explainer.sides.b.found.values])"
    learnt = page.evaluate(seen)
    page.click("#tour-open")
    page.click(".stop >> nth=5")
    until(page, "explainer.state.settings.steps === 20 && !explainer.python.busy", 120)
    page.click("#one")
    until(page, "explainer.training.updates === 1 && !explainer.python.busy")
    page.click("#tour .end")
    until(page, f"{seen} === {learnt!r}", 120)
    page.click("#one")
    until(page, f"explainer.training.updates === {json.loads(learnt)[0] + 1}")
    page.click("#reset")
    until(page, "!explainer.python.busy")


def test_the_gate_that_keeps_the_gradient_alive_is_found_by_switching_it_off(page: Any) -> None:
    page.click("#tour-open")
    page.click(".stop >> nth=4")
    until(page, "document.querySelectorAll('.tried tbody tr').length === 1", 120)
    for place, gate in enumerate(("forget gate", "input gate"), start=2):
        for switched in ("off", "on"):
            page.click(f".side:last-child .off[aria-label='{gate}: switch off']")
            until(page, f"explainer.sides.b.shut.length === {int(switched == 'off')}")
            until(page, "!explainer.python.busy")
        rows = f"document.querySelectorAll('.tried tbody tr').length === {place}"
        until(page, rows)
    told = dict(line.split("\t") for line in page.inner_text(".tried tbody").split("\n"))
    assert "·10⁻" in told["forget gate off"]
    assert told["input gate off"] == told["all on"] == "81 %"
    page.click("[data-answer='1']")
    assert "Look again" in page.inner_text("#tour .told")
    page.click("[data-answer='2']")
    assert "the slope of the new c by the old one is f" in page.inner_text("#tour .told")
    page.click("#tour .end")


def test_a_shared_cell_is_read_before_it_runs(page: Any) -> None:
    page.evaluate("explainer.sides.a.start('gru')")
    edit(page, "a", "class GRU", "class MyOwn")
    until(page, "explainer.sides.a.found.name === 'MyOwn'")
    page.click("#share-open")
    link = page.input_value("dialog[open] input")
    page.keyboard.press("Escape")
    other = page.context.new_page()
    other.goto(link)
    until(other, "document.querySelectorAll('.side[data-shown]').length === 1", 180)
    assert "MyOwn" in other.evaluate("explainer.sides.a.editor.text")
    assert other.evaluate("explainer.sides.a.found") is None
    other.click("#one")
    other.click("#train")
    assert other.evaluate("document.activeElement.textContent") == "Run this cell"
    assert not other.evaluate("explainer.training.running || explainer.python.busy")
    other.click("#share-open")
    other.click("text=Save as one HTML file")
    told = "document.querySelector('dialog[open] [role=status]').textContent"
    until(other, f"{told}.startsWith('Somebody shared')")
    other.keyboard.press("Escape")
    other.click("text=Run this cell")
    until(other, "explainer.sides.a.found && explainer.sides.a.found.name === 'MyOwn'")
    other.close()


def test_the_page_is_kept_as_one_file(page: Any, tmp_path: Path) -> None:
    page.click("#share-open")
    with page.expect_download() as started:
        page.click("text=Save as one HTML file")
    file = tmp_path / "kept.html"
    started.value.save_as(file)
    page.keyboard.press("Escape")
    other = page.context.new_page()
    other.goto(file.as_uri())
    assert "forget gate" in (other.text_content("main") or "")
    assert other.locator("main svg").count() >= 3
    told = other.locator("main p").all_inner_texts()
    assert len(told) == 2 and all(
        text.startswith("It answers ") and "; right is " in text for text in told
    )
    assert not any("answers ;" in text for text in told)
    assert "size (norm) of the gradient" in (other.text_content("main") or "")
    ids = other.evaluate("[...document.querySelectorAll('[id*=\"-\"]')].map(({ id }) => id)")
    assert len(ids) == len(set(ids)) > 20  # the pictures of both sides stand in one document
    other.close()


def test_a_fault_is_found_and_mended(page: Any) -> None:
    page.click("#quiz-open")
    page.click(".quiz >> text=Check")
    page.wait_for_selector(".quiz li")
    assert page.inner_text(".quiz .told li") == "the gradient of the initial h"
    page.click(".quiz >> text=Hint")
    page.wait_for_selector(".quiz .told >> text=transpose")
    page.keyboard.press("Escape")


def test_an_endless_loop_is_ended_and_said(page: Any) -> None:
    page.evaluate("explainer.sides.a.start('rnn')")
    right = edit(page, "a", "return tg.tanh", "while True: pass\n        return tg.tanh")
    page.wait_for_selector("#error-a:not([hidden])", timeout=60_000)
    assert "never ends" in page.inner_text("#error-a")
    page.evaluate("explainer.sides.a.editor.text = ''")
    edit(page, "a", "", right)
    page.wait_for_selector("#error-a", state="hidden", timeout=60_000)


def test_an_endless_loop_is_ended_without_shared_memory(page: Any, plain: str) -> None:
    """Where a server sends no headers for it: another worker takes the place of the hanging one."""
    context = page.context.browser.new_context(locale="en-US", service_workers="block")
    other = context.new_page()
    other.goto(plain)
    until(other, "document.querySelectorAll('.side[data-shown]').length === 2", 180)
    assert not other.evaluate("crossOriginIsolated")
    right = edit(other, "a", "return tg.tanh", "while True: pass\n        return tg.tanh")
    other.wait_for_selector("#error-a:not([hidden])", timeout=60_000)
    assert "never ends" in other.inner_text("#error-a")
    other.evaluate("explainer.sides.a.editor.text = ''")
    edit(other, "a", "", right)
    other.wait_for_selector("#error-a", state="hidden", timeout=120_000)
    until(other, "explainer.sides.a.found.name === 'RNN' && !explainer.python.busy", 120)
    context.close()


def test_it_works_without_a_network(page: Any) -> None:
    page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    page.context.set_offline(True)
    page.serving.shutdown()
    try:
        page.reload()
        until(page, "document.querySelectorAll('.side[data-shown]').length === 2", 180)
    finally:
        serve(page.serving)
        page.context.set_offline(False)
