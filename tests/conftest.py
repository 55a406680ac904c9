"""What a test run shows at its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests import test_conformance


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Where the answers differ from Deep Lake's, and how often, whenever the cases were run."""
    passed = terminalreporter.stats.get("passed", [])
    if any("test_conformance.py" in report.nodeid for report in passed):
        terminalreporter.section("recorded answers of Deep Lake")
        for line in test_conformance.summary():
            terminalreporter.write_line(line)
