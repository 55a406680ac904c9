"""Plugin of pytest: writes how each test went to the file that `TQL_MUTANTS_RECORD` names, one JSON object per line.

Under `coverage run`, it also tells coverage which test runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

VARIABLE = "TQL_MUTANTS_RECORD"

_seconds: dict[str, float] = {}
_failed: set[str] = set()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Run a test as a context of its own in the coverage."""
    try:
        from coverage import Coverage  # noqa: PLC0415  # of the group `mutants`
    except ImportError:
        running = None
    else:
        running = Coverage.current()
    if running is not None:
        running.switch_context(item.nodeid)
    yield
    if running is not None:
        running.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write a line at the end of a test."""
    test = report.nodeid
    _seconds[test] = _seconds.get(test, 0.0) + report.duration
    if report.outcome != "passed":
        _failed.add(test)
    if report.when == "teardown" and VARIABLE in os.environ:
        line = {"test": test, "seconds": round(_seconds[test], 4), "passed": test not in _failed}
        with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read(path: Path) -> dict[str, tuple[float, bool]]:
    """Return the seconds of each test of such a file, and whether it passed."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["test"]: (line["seconds"], line["passed"]) for line in lines}
