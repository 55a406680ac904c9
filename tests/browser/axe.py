"""axe-core, which looks for what keeps people from using a page."""

from __future__ import annotations

from importlib.resources import files
from typing import Any


def axe_findings(page: Any) -> list[str]:
    """What axe-core finds in the widget, of serious or critical impact: the rule, and the element."""
    page.wait_for_timeout(200)  # the bars have their widths, and colours no longer change
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document.querySelector('.tql-explore'))")
    assert len(found["passes"]) > 10  # it looked at something
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:120]} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
