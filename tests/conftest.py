"""What a test run shows at its end, and what ends a test that hangs."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compiler import test_conformance


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Where the answers differ from Deep Lake's, and how often, whenever the cases were run."""
    passed = terminalreporter.stats.get("passed", [])
    if any("test_conformance.py" in report.nodeid for report in passed):
        terminalreporter.section("recorded answers of Deep Lake")
        for line in test_conformance.summary():
            terminalreporter.write_line(line)


def pytest_collection_finish() -> None:
    """Leave modules and tests to themselves: a test that collects garbage would go through all of them each time."""
    gc.freeze()


@pytest.fixture
def in_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """End a test that takes longer than the `SECONDS` of its module."""
    seconds = request.module.SECONDS

    def stop(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
