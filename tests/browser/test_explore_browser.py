"""The widget in JupyterLab, driven in Chromium as a person would: typing, sliding, running, balancing, taking on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: pip install playwright")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: pip install jupyterlab")
pytest.importorskip("anywidget", reason="anywidget is not installed: pip install anywidget")
pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: make browser")

from tests.browser.axe import axe_findings
from tests.browser.lab import CHROMIUM, browser_page, jupyter_lab, run_notebook, write_notebook

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")

SAMPLER = "max_weight(contains(findings, 'Hernia'): 20, true: 1)"
CELLS = [
    "import tql_frames\nxrays = tql_frames.datasets.chest_xray()",
    "widget = xrays.tql.explore()\nwidget",
    "view = widget.view\nprint('taken', view and (len(view), view.seed, view.sampler == widget.query))",
]

PLACES = {"raw": 2, "expected": 3, "drawn": 4}
CELL = (
    "Number([...document.querySelectorAll('.tql-chart tbody tr')]"
    ".find(row => row.children[0].textContent === '{label}').children[{place}].textContent)"
)
# Milliseconds from a key stroke to the last change of message or chart; the next key is pressed when all is quiet.
WATCH = """() => {
    window.strokes = [];
    const typed = () => window.strokes.push([performance.now()]);
    document.querySelector('.tql-box textarea').addEventListener('input', typed, true);
    const answered = () => window.strokes.length && window.strokes.at(-1).push(performance.now());
    for (const each of ['.tql-message', '.tql-chart', '.tql-note'])
        new MutationObserver(answered).observe(document.querySelector(each), {childList: true, subtree: true});
}"""


@pytest.fixture(params=["JupyterLab Light", "JupyterLab Dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_sampler_is_found_and_taken_into_the_next_cell(tmp_path: Path, theme: str) -> None:
    write_notebook(tmp_path / "explore.ipynb", CELLS)
    with jupyter_lab(tmp_path, theme) as address, browser_page() as (page, elsewhere):
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        run_notebook(page, address, "explore.ipynb")
        page.wait_for_selector(".tql-chart tbody tr")

        finds_a_mistake(page)
        corrects_it(page)
        moves_a_slider(page)
        runs_it(page)
        assert axe_findings(page) == []
        page.locator(".tql-explore").screenshot(path=tmp_path / "explore.png")
        reads_the_rows(page)
        takes_it_on(page)
        balances(page)
        goes_back(page)
        assert elsewhere == []
        assert faults == []


def test_each_key_stroke_is_answered_on_ten_million_rows(tmp_path: Path) -> None:
    """How soon is printed, and shown by `pytest -s`: a time would fail for what else the machine does meanwhile."""
    frame = "import polars as pl, tql_frames\nxrays = pl.concat([tql_frames.datasets.chest_xray()] * 90)"
    write_notebook(tmp_path / "large.ipynb", [frame, *CELLS[1:]])
    with jupyter_lab(tmp_path) as address, browser_page() as (page, _):
        run_notebook(page, address, "large.ipynb")
        page.wait_for_selector(".tql-chart tbody tr")
        box = page.get_by_label("Sampler or statement")
        box.fill(SAMPLER)  # columns that were not named before are counted once
        wait_for_share(page, "Hernia", "expected", 3.9)
        page.evaluate(WATCH)
        rounds = [answers_to_typing(page) for _ in range(3)]
        for times in rounds:
            print(f"answered after, in ms: {times}")  # noqa: T201
            assert len(times) >= 10
        box.press("Control+Enter")  # as many draws as rows
        page.wait_for_selector(".tql-rows tbody tr")
        page.locator(".tql-rows").evaluate("rows => { rows.scrollTop = rows.scrollHeight }")
        page.wait_for_selector(".tql-rows tbody tr[aria-rowindex='10090801']")
        page.locator(".tql-rows").focus()
        page.keyboard.press("ArrowUp")
        page.wait_for_selector(".tql-rows tbody tr[aria-rowindex='10090789']")
        assert page.locator(".tql-rows tbody tr").count() == 12


def answers_to_typing(page: Any) -> list[int]:
    box = page.get_by_label("Sampler or statement")
    box.fill(SAMPLER)
    box.press("End")
    for _ in ", true: 1)":
        page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(500)
    page.evaluate("window.strokes = []")
    for key in [*"0.5", *["Backspace"] * 5, *"37", "End", *" + 1"]:
        page.keyboard.press(key)
        page.wait_for_timeout(250)
    page.wait_for_timeout(500)
    return sorted(round(stroke[-1] - stroke[0]) for stroke in page.evaluate("window.strokes") if len(stroke) > 1)


def finds_a_mistake(page: Any) -> None:
    box = page.get_by_label("Sampler or statement")
    box.press_sequentially("max_weight(cont")
    page.wait_for_selector(".tql-completion li")
    page.keyboard.press("Enter")  # takes the first that is offered
    assert box.input_value() == "max_weight(contains("
    box.press_sequentially("finding, 'Hernia'): 20, true: 1)")
    # Of the whole text: what was typed before it is looked at, too.
    page.wait_for_function("() => document.querySelector('.tql-message').textContent.includes(\"column 'finding'\")")
    said = page.locator(".tql-message").inner_text().splitlines()
    assert said == ["unknown column 'finding'", "did you mean 'findings'?"]
    assert page.locator(".tql-box pre .tql-fault").all_inner_texts() == ["finding"]
    assert box.get_attribute("aria-invalid") == "true"


def corrects_it(page: Any) -> None:
    box = page.get_by_label("Sampler or statement")
    for _ in range(len(", 'Hernia'): 20, true: 1)")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.querySelector('.tql-message').textContent === ''")
    page.keyboard.press("Tab")  # the box holds nobody
    assert page.evaluate("document.activeElement.textContent") == "Run"
    assert page.locator(".tql-box pre .tql-fault").count() == 0
    assert box.input_value() == SAMPLER
    wait_for_share(page, "Hernia", "expected", 3.9)
    assert page.locator(".tql-rows").is_hidden()  # the chart was there before anything was drawn


def moves_a_slider(page: Any) -> None:
    slider = page.get_by_label("weight of contains(findings, 'Hernia')")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    text = page.get_by_label("Sampler or statement").input_value()
    weight = re.fullmatch(r"max_weight\(contains\(findings, 'Hernia'\): ([\d.]+), true: 1\)", text)
    assert weight and 24 < float(weight[1]) < 27
    page.wait_for_function("() => document.querySelector('.tql-message').textContent === ''")
    page.wait_for_function(f"() => {CELL.format(label='Hernia', place=3)} > 4.5")


def runs_it(page: Any) -> None:
    page.get_by_label("limit").fill("5000")
    page.get_by_label("seed").fill("7")
    page.get_by_label("Sampler or statement").press("Control+Enter")
    page.wait_for_selector(".tql-rows tbody tr")
    page.wait_for_function(f"() => {CELL.format(label='Hernia', place=4)} > 4")
    assert "5,000 rows, seed 7" in page.locator(".tql-status").inner_text()
    assert page.locator(".tql-history li").count() == 1


def reads_the_rows(page: Any) -> None:
    first = page.locator(".tql-rows tbody tr").first
    assert re.fullmatch(r"\d+", first.locator("td").first.inner_text())
    before = first.inner_text()
    page.locator(".tql-rows").evaluate("rows => { rows.scrollTop = rows.scrollHeight }")
    page.wait_for_selector(".tql-rows tbody tr[aria-rowindex='5001']")
    assert page.locator(".tql-rows tbody tr").count() == 12  # what is on screen, and no more
    page.locator(".tql-rows").focus()
    page.keyboard.press("Home")
    page.wait_for_selector(".tql-rows tbody tr[aria-rowindex='2']")
    assert page.locator(".tql-rows tbody tr").first.inner_text() == before


def takes_it_on(page: Any) -> None:
    page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 2")
    page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_function("() => document.body.innerText.includes('taken (5000, 7, True)')")


def balances(page: Any) -> None:
    page.get_by_label("target share of Hernia in percent").fill("10")
    page.get_by_label("keep the share of No_Finding").check()
    page.get_by_role("button", name="Balance").click()
    page.wait_for_function("() => document.querySelector('.tql-status').textContent.startsWith('Balanced')")
    text = page.get_by_label("Sampler or statement").input_value()
    assert "contains(findings, 'Hernia')" in text and "contains(findings, 'No_Finding')" in text
    wait_for_share(page, "Hernia", "expected", 10)
    assert page.locator(".tql-sliders > div").count() == 4


def goes_back(page: Any) -> None:
    page.locator(".tql-history button").first.click()
    assert "true: 1)" in page.get_by_label("Sampler or statement").input_value()
    assert page.get_by_label("limit").input_value() == "5000"
    page.wait_for_function(f"() => {CELL.format(label='Hernia', place=3)} < 6")


def wait_for_share(page: Any, label: str, series: str, share: float) -> None:
    cell = CELL.format(label=label, place=PLACES[series])
    page.wait_for_function(f"() => Math.abs({cell} - {share}) < 0.05")
