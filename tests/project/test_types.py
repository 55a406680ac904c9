"""Type checkers over typical lines: what is right passes, and each mistake is found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pages import ROOT

CALLS = Path(__file__).with_name("typed_calls.py")
LINES = CALLS.read_text(encoding="utf-8").splitlines()
WRONG = [number for number, line in enumerate(LINES, 1) if line.endswith("# wrong")]
STUBS = "pandas-stubs"

# Otherwise mypy spends a minute on libraries of which these calls use nothing.
WITHOUT_PANDAS = """
[mypy]
follow_imports = skip
[mypy-polars.*,numpy.*]
follow_imports = silent
[mypy-tql_frames.*]
follow_imports = silent
ignore_errors = true
[mypy-pandas.*]
follow_imports_for_stubs = true
"""


def needs(library: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(library) is None, reason=f"{library} is not installed")


def run(folder: Path, *command: str) -> str:
    """Return the output of a checker on a copy of the lines in a folder of its own, where a user's files are."""
    (folder / "typed_calls.py").write_text(CALLS.read_text(encoding="utf-8"), encoding="utf-8")
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_there_are_typical_lines_and_mistakes() -> None:
    assert sum("tql" in line and line.startswith("    ") for line in LINES) >= 30
    assert len(WRONG) == 12


@needs("mypy")
@needs("pandas-stubs")
def test_mypy_finds_the_mistakes_and_nothing_else(tmp_path: Path) -> None:
    """In strict mode, with the cache of `make check`: without a cache it takes a minute."""
    known = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    text = run(tmp_path, "mypy", "--strict", *known, "--no-error-summary", "typed_calls.py")
    assert sorted({int(line) for line in re.findall(r"typed_calls.py:(\d+): error", text)}) == WRONG, text


@needs("mypy")
def test_mypy_without_the_stubs_of_pandas(tmp_path: Path) -> None:
    """Then all of pandas is unknown: nothing that is right is an error, and mistakes on Polars frames are found."""
    (tmp_path / "mypy.ini").write_text(WITHOUT_PANDAS)
    text = run(tmp_path, "mypy", "--no-error-summary", "typed_calls.py")
    found = [int(line) for line in re.findall(r"typed_calls.py:(\d+): error: (?!Expression is of type)", text)]
    assert set(found) <= set(WRONG), text
    assert len(set(found)) >= 5, text
    assert 'is of type "Any", not "Report[Any]"' in text  # of a frame of pandas


@needs("pyright")
@pytest.mark.parametrize("stubs", [True, False])
def test_pyright_finds_the_mistakes_and_nothing_else(tmp_path: Path, stubs: bool) -> None:
    """Without the stubs it reads the types of pandas from its source."""
    packages = Path(str(find_spec("polars").origin)).parents[1]  # type: ignore[union-attr]
    if stubs and not (packages / STUBS).exists():
        pytest.skip("pandas-stubs is not installed")
    site = tmp_path / "site"
    site.mkdir()
    for each in packages.iterdir():
        if stubs or each.name != STUBS:
            (site / each.name).symlink_to(each)
    (tmp_path / "pyrightconfig.json").write_text(
        json.dumps({"extraPaths": [str(ROOT), str(site)], "include": ["typed_calls.py"], "pythonVersion": "3.11"})
    )
    text = run(tmp_path, "pyright", "--outputjson", "--pythonpath", "/nowhere")
    found = [
        each["range"]["start"]["line"] + 1
        for each in json.loads(text[text.index("{") :])["generalDiagnostics"]
        if each["severity"] == "error" and each["file"].endswith("typed_calls.py")
    ]
    assert sorted(set(found)) == WRONG, text
