"""Tables, formats and a runner that the tests of the command share."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

import tql_frames
from tql_frames.cli import main

ROWS = 500
FLAT = pl.DataFrame(
    {
        "id": range(ROWS),
        "age": [20 + (i * 37) % 70 for i in range(ROWS)],
        "dose": [None if i % 7 == 0 else i / 3 for i in range(ROWS)],
        "view": [("PA", "AP", 'a "b", c', "Ä→é")[i % 4] for i in range(ROWS)],
        "seen": [i % 3 == 0 for i in range(ROWS)],
    }
)
NESTED = FLAT.with_columns(
    findings=pl.concat_list(pl.lit("Mass"), "view"), box=pl.struct("id", "dose"), taken=pl.lit(date(2024, 5, 1))
)
SAMPLER = "max_weight(age > 60: 5, view = 'PA': 3, true: 1)"
ENDLESS = "select x + y as z from a cross join b"  # of two small files: more rows than a test waits for

WRITE = {
    ".parquet": pl.DataFrame.write_parquet,
    ".pq": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
    ".tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    ".arrow": pl.DataFrame.write_ipc,
    ".ipc": pl.DataFrame.write_ipc,
    ".feather": pl.DataFrame.write_ipc,
    ".ndjson": pl.DataFrame.write_ndjson,
    ".jsonl": pl.DataFrame.write_ndjson,
}
READ = {
    ".parquet": pl.read_parquet,
    ".pq": pl.read_parquet,
    ".csv": pl.read_csv,
    ".tsv": lambda path: pl.read_csv(path, separator="\t"),
    ".arrow": lambda path: pl.scan_ipc(path).collect(),
    ".ipc": lambda path: pl.scan_ipc(path).collect(),
    ".feather": lambda path: pl.scan_ipc(path).collect(),
    ".ndjson": pl.read_ndjson,
    ".jsonl": pl.read_ndjson,
}
NESTING = {".parquet", ".pq", ".arrow", ".ipc", ".feather"}


def words(value: object) -> str | None:
    """The name of a case: its arguments."""
    return " ".join(value) if isinstance(value, list) else None


class Done(NamedTuple):
    status: int
    out: str
    err: str


class Command:
    """Runs the command in a folder of its own."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capfd = folder, capfd

    def __call__(self, *arguments: object) -> Done:
        self._capfd.readouterr()
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        return Done(status, *self._capfd.readouterr())

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))


def expected(frame: pl.DataFrame, sampler: str = SAMPLER, **options: Any) -> pl.DataFrame:
    return tql_frames.sample(frame, sampler, **{"seed": 7, "order": "source", "index": None} | options)
