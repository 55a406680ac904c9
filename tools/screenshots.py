"""Draw the pictures of `docs/explore.md`, of the widget in JupyterLab: `python -m tools.screenshots`.

Needs what `make browser` installs, and Chromium.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.browser.lab import browser_page, jupyter_lab, run_notebook, write_notebook

_IMAGES = Path(__file__).parents[1] / "docs" / "images"
_CELLS = ["import tql_frames\nxrays = tql_frames.datasets.chest_xray()", "widget = xrays.tql.explore()\nwidget"]
_RIGHT = """\
max_weight(contains(findings, 'Hernia'): 20,
contains(findings, 'Pneumonia'): 8, true: 1)"""
_MISTAKEN = """\
max_weight(contains(findings, 'Hernia'): 20,
contains(findings, 'Pneumonia'): 8,
contains(finding, 'Mass'): 3, true: 1)"""


def picture(theme: str, mistaken: bool, image: Path) -> None:
    """Draw a sample in the widget, in a theme of JupyterLab, then maybe type a mistake; save what is seen."""
    with tempfile.TemporaryDirectory() as folder:
        write_notebook(Path(folder) / "explore.ipynb", _CELLS)
        with jupyter_lab(Path(folder), theme) as address, browser_page(1180, 1100) as (page, _):
            run_notebook(page, address, "explore.ipynb")
            page.wait_for_selector(".tql-chart tbody tr")
            _run(page)
            if mistaken:
                page.get_by_label("Sampler or statement").fill(_MISTAKEN)
                page.wait_for_selector(".tql-fault")
            page.wait_for_timeout(1_000)  # the bars have their widths
            page.locator(".jp-Cell").nth(1).screenshot(path=image)


def _run(page: Any) -> None:
    page.get_by_label("limit").fill("100000")
    page.get_by_label("seed").fill("7")
    page.get_by_label("Sampler or statement").fill(_RIGHT)
    page.get_by_label("Sampler or statement").press("Control+Enter")
    page.wait_for_selector(".tql-rows tbody tr")
    page.wait_for_function("() => document.querySelector('.tql-status').textContent.includes('seed 7')")


if __name__ == "__main__":
    picture("JupyterLab Light", False, _IMAGES / "explore-light.png")
    picture("JupyterLab Dark", True, _IMAGES / "explore-dark.png")
