"""The widget on a page of its own, driven in Chromium: layout beside a side bar, completion, texts of stale charts.

The page talks to the session directly, without a notebook; `test_explore_browser` has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: pip install playwright")
pytest.importorskip("anywidget", reason="anywidget is not installed: pip install anywidget")

from tests.browser.lab import CHROMIUM, browser_page
from tests.browser.widget_page import SAMPLER, opened

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.fault("E16"),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser_page(1300, 900) as (page, _):
        yield page


@pytest.mark.parametrize("width", [830, 900, 980, 1100, 600])
def test_no_column_of_the_chart_is_cut(page: Any, width: int) -> None:
    opened(page, width)
    inside, seen = page.evaluate("() => (c => [c.scrollWidth, c.clientWidth])(document.querySelector('.tql-chart'))")
    assert inside <= seen
    head = page.locator(".tql-chart thead th").last
    box = head.bounding_box()
    assert head.inner_text() == "keep"
    assert box["x"] + box["width"] <= width


def test_labels_are_completed_in_quotes(page: Any) -> None:
    opened(page, 900)
    box = page.get_by_label("Sampler or statement")
    box.fill("")
    box.press_sequentially("max_weight(contains(findings, 'Her")
    page.wait_for_selector(".tql-completion li")
    assert page.locator(".tql-completion li span").all_inner_texts() == ["Hernia"]
    page.keyboard.press("Enter")
    assert box.input_value() == "max_weight(contains(findings, 'Hernia'"
    box.press_sequentially("): 2, true: 1)")
    box.press_sequentially(" hern")  # outside quotes there are no labels
    assert not page.locator(".tql-completion li").filter(has_text="Hernia").count()


def test_the_chart_is_dimmed_while_the_text_is_wrong(page: Any) -> None:
    opened(page, 900)
    chart, note = page.locator(".tql-chart"), page.locator(".tql-note")
    page.wait_for_function("() => document.querySelector('.tql-note').textContent.includes('draws from')")
    assert "tql-late" not in chart.get_attribute("class")
    box = page.get_by_label("Sampler or statement")
    box.fill("max_weight(contains(finding, 'Hernia'): 20, true: 1)")
    page.wait_for_function("() => document.querySelector('.tql-message').textContent.includes('unknown column')")
    page.wait_for_timeout(600)
    assert "tql-late" in chart.get_attribute("class")
    assert note.inner_text() == "Shares of the last text without a mistake"
    box.fill(SAMPLER)
    page.wait_for_function("() => document.querySelector('.tql-note').textContent.includes('draws from')")
    assert "tql-late" not in chart.get_attribute("class")


def test_seeds_are_short_and_runs_are_seen(page: Any) -> None:
    widget = opened(page, 900)
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("() => document.querySelector('.tql-status').textContent.includes('rows, seed')")
    status = page.locator(".tql-status")
    seed = str(widget.view.seed)
    assert len(seed) > 12
    assert status.inner_text() == f"5,000 rows, seed {seed[:4]}…{seed[-4:]}"
    assert status.get_attribute("title") == f"seed {seed}"
    assert page.evaluate("[window.traits.runs, window.saved]") == [1, True]


def test_sliders_have_names_of_their_own(page: Any) -> None:
    opened(page, 900)
    page.get_by_role("button", name="Balance").click()
    page.wait_for_function("() => document.querySelector('.tql-status').textContent.includes('Balanced')")
    page.wait_for_timeout(500)
    names = page.locator(".tql-sliders code").all_inner_texts()
    assert len(names) > 2
    assert len(set(names)) == len(names)
