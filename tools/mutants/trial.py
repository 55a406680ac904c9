"""Run the tests of a change on a copy of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.mutants.changes import Change

TIMEOUT = 120.0  # seconds, after which a change counts as noticed: it loops, or waits

_COPIED = ("tests", "docs", "benchmarks", "tools", "notebooks")


def copy_project(root: Path, package: str, to: Path) -> None:
    """Copy what the tests need."""
    for folder in (package, *_COPIED):
        if (root / folder).is_dir():
            shutil.copytree(root / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__", "data"))
    for file in root.iterdir():
        if file.is_file():
            shutil.copy2(file, to / file.name)


def _passes(copy: Path, tests: list[str]) -> bool:
    """Return whether tests pass in a copy."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", *tests]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")])}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        try:
            return run.wait(TIMEOUT) == 0
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, 9)  # its own session: the tests and what they started
            return False


def survives(copy: Path, change: Change, tests: list[str]) -> bool:
    """Return whether tests pass after a change, which is undone."""
    file = copy / change.path
    text = file.read_text(encoding="utf-8")
    file.write_text(change.apply(text), encoding="utf-8")
    try:
        return _passes(copy, tests)
    finally:
        file.write_text(text, encoding="utf-8")
