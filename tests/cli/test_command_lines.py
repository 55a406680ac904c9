"""The command lines of guides run as they stand, on files of the names that they have."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import tql_frames
from tests.pages import ROOT
from tql_frames.cli import main

PAGES = ["docs/command-line.md", "docs/groups.md", "docs/large-data.md", "docs/splits.md"]


def lines_of(page: str) -> Iterator[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("tql-frames "):
                yield line


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    xrays = tql_frames.datasets.chest_xray()
    xrays.write_parquet(folder / "xrays.parquet")
    flat = xrays.select([name for name, dtype in xrays.schema.items() if not dtype.is_nested()])
    flat.head(2000).write_csv(folder / "xrays.csv")
    for name in ("xrays", "scans"):
        (folder / name).mkdir()
    xrays.head(5000).write_parquet(folder / "xrays" / "0.parquet")
    flat.head(5000).write_csv(folder / "scans" / "0.csv")
    return folder


@pytest.mark.fault("H7")
@pytest.mark.parametrize("page", PAGES)
def test_command_lines_run(
    files: Path, page: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(files, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    lines = list(lines_of(page))
    assert lines
    for line in lines:
        arguments = shlex.split(line)[1:]
        status = main(arguments)
        done = capfd.readouterr()
        assert (status, done.err) == (0, ""), line
        if "-o" in arguments:
            name = arguments[arguments.index("-o") + 1]
            read = pl.read_parquet if name.endswith(".parquet") else pl.read_csv
            assert read(name).height > 0
        else:
            assert done.out
