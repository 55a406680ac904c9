"""Fixtures of the tests of the command: the command, run in an empty folder."""

from pathlib import Path

import pytest

from tests.cli.commands import Command


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capfd)
