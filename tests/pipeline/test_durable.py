"""An output file is on the disk before it has its name, and its name is on the disk before the command ends."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import polars as pl
import pytest

from tql_frames.cli import main


@pytest.mark.skipif(os.name != "posix", reason="a folder is opened and synced on POSIX systems")
@pytest.mark.parametrize("name", ["out.parquet", "out.csv"])
def test_file_and_folder_are_synced_in_that_order(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / name
    pl.DataFrame({"w": [1.0, 2.0, 3.0]}).write_parquet(source)
    synced: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        assert out.exists() == is_folder
        if is_folder:
            assert os.path.samestat(os.fstat(descriptor), os.stat(tmp_path))
        synced.append("folder" if is_folder else "file")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    assert main(["sample", "w", str(source), "--limit", "2", "--seed", "1", "-o", str(out)]) == 0
    assert synced == ["file", "folder"]
