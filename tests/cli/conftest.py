"""What tests of the command are given: the command, in a folder of its own."""

from pathlib import Path

import pytest

from tests.cli.commands import Command


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path, capfd)
