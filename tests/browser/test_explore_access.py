"""The widget for everyone: no serious finding of axe-core, work by keys alone, narrow windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: make browser")
pytest.importorskip("anywidget", reason="anywidget is not installed: make browser")
pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: make browser")

from tests.browser.axe import axe_findings
from tests.browser.lab import CHROMIUM, browser_page
from tests.browser.widget_page import SAMPLER, THEMES, mistake, opened, run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")

WIDE, NARROW = 1280, 360


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with browser_page(WIDE, 900) as (page, _):
        yield page


def offer_words(page: Any) -> Any:
    """Type a text that many words complete."""
    box = page.get_by_label("Sampler or statement")
    box.fill("")
    box.press_sequentially("max_weight(a")
    page.wait_for_selector(".tql-completion li")
    return box


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_serious(page: Any, theme: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, width, theme)
    assert axe_findings(page) == []
    run(page)
    assert axe_findings(page) == []
    offer_words(page)
    assert axe_findings(page) == []
    mistake(page)
    assert axe_findings(page) == []


@pytest.mark.parametrize(
    ("text", "instead", "rule"),
    [
        ('"aria-label": `keep the share of ${row.label}`,', "", "label"),
        (', "aria-label": `weight of ${arm.condition}`', "", "label"),
        ("ink) 80%", "ink) 30%", "color-contrast"),
        ('role: "region", "aria-label": "Shares by label"', 'role: "regions"', "aria-roles"),
    ],
)
def test_axe_finds_what_is_broken(page: Any, text: str, instead: str, rule: str) -> None:
    page.set_viewport_size({"width": WIDE, "height": 900})
    opened(page, WIDE, broken=(text, instead))
    assert rule in {each.split(" ")[0] for each in axe_findings(page)}


def focused(page: Any) -> str:
    """The name of the element that keys go to, as a screen reader finds it."""
    return str(
        page.evaluate("""() => {
            const at = document.activeElement;
            const label = at.labels?.[0]?.firstChild.textContent;
            return at.getAttribute("aria-label") ?? label ?? at.textContent;
        }""")
    )


def test_keys_reach_everything_in_the_order_of_the_page(page: Any) -> None:
    page.set_viewport_size({"width": WIDE, "height": 900})
    opened(page, WIDE)
    run(page)
    page.get_by_label("Sampler or statement").focus()
    names, labels = [], page.locator(".tql-chart tbody tr").count()
    for _ in range(12 + 2 * labels):
        page.keyboard.press("Tab")
        names.append(focused(page))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", names[-1]
    assert names[:6] == [
        *("Run", "limit", "seed", "replacement"),
        *("weight of contains(findings, 'Hernia')", "weight of true"),
    ]
    assert names[6] == "History (1)" and names[7].startswith(SAMPLER)
    assert names[8:12] == ["labels", "Balance", "greatest weight", "Shares by label"]
    first = page.locator(".tql-chart tbody th").first.inner_text()
    assert names[12:14] == [f"target share of {first} in percent", f"keep the share of {first}"]
    page.keyboard.press("Tab")
    assert focused(page) == "Drawn rows"


def test_completion_works_by_keys(page: Any) -> None:
    opened(page, WIDE)
    box = offer_words(page)
    words = page.locator(".tql-completion li")
    assert words.count() > 3

    def chosen() -> Any:
        found = page.locator(".tql-completion li[aria-selected='true']")
        assert found.count() == 1
        assert box.get_attribute("aria-activedescendant") == found.get_attribute("id")
        return found.locator("span").inner_text()

    first = chosen()
    page.keyboard.press("ArrowDown")
    second = chosen()
    page.keyboard.press("ArrowUp")
    assert chosen() == first != second
    page.keyboard.press("ArrowUp")  # around to the last
    assert chosen() == words.last.locator("span").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".tql-completion").is_hidden()
    assert box.get_attribute("aria-activedescendant") is None
    assert box.input_value() == "max_weight(a"  # nothing was written
    page.keyboard.press("Control+Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert box.input_value() in (f"max_weight({second}", f"max_weight({second}(")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"


def test_a_sample_is_drawn_and_balanced_by_keys(page: Any) -> None:
    opened(page, WIDE)
    page.get_by_label("Sampler or statement").press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.tql-status').textContent.includes('rows, seed')")
    assert focused(page) == "Run"  # a button that works keeps the keys
    slider = page.get_by_label("weight of contains(findings, 'Hernia')")
    slider.press("ArrowRight")
    assert "'Hernia'): 20.9" in page.get_by_label("Sampler or statement").input_value()
    target = page.get_by_label("target share of Hernia in percent")
    target.fill("10")
    target.press("Enter")
    page.wait_for_function("() => document.querySelector('.tql-status').textContent.includes('Balanced')")
    assert focused(page) == "target share of Hernia in percent"
    page.get_by_role("button", name="Balance").press("Enter")
    page.wait_for_selector("button[aria-disabled='false']:text('Balance')")
    assert focused(page) == "Balance"


@pytest.mark.parametrize("width", [NARROW, 420, 600])
def test_narrow_windows_need_no_scrolling_sideways(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, width)
    run(page)
    fits = "(each) => each.scrollWidth <= each.clientWidth"
    assert page.locator("html").evaluate(fits)
    assert page.locator(".tql-chart").evaluate(fits)
    inside = """(width) => [...document.querySelectorAll('.tql-explore :is(input, button, select, textarea, output)')]
        .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > width)
        .map((each) => each.outerHTML)"""
    assert page.evaluate(inside, width) == []
    assert page.locator(".tql-bar").first.bounding_box()["width"] > width / 10
    offer_words(page)
    assert page.locator("html").evaluate(fits)


@pytest.mark.parametrize("width", [NARROW, 600, 900, WIDE])
def test_arms_are_named_by_their_whole_condition(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, width)
    page.get_by_label("Sampler or statement").fill("max_weight(contains(findings, 'Pleural_Thickening'): 20, true: 1)")
    name = page.locator(".tql-sliders code", has_text="contains(findings, 'Pleural_Thickening')")
    name.wait_for()
    assert name.evaluate("(each) => each.scrollWidth <= each.clientWidth && each.scrollHeight <= each.clientHeight + 1")


def test_completions_stay_inside_the_box(page: Any) -> None:
    page.set_viewport_size({"width": NARROW, "height": 900})
    opened(page, NARROW)
    box = page.get_by_label("Sampler or statement")
    box.fill("")
    box.press_sequentially("max_weight(contains(findings, 'Her")
    page.wait_for_selector(".tql-completion li")
    found = page.locator(".tql-completion").bounding_box()
    assert found["x"] >= 0 and found["x"] + found["width"] <= NARROW
