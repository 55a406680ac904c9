"""Frames for the tests on Spark; a module that imports this is skipped where there is no Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

pyspark = pytest.importorskip("pyspark", reason="PySpark is not installed")


def java() -> int:
    """The version of Java, 0 for none."""
    home = os.environ.get("JAVA_HOME")
    command = shutil.which("java", path=f"{home}/bin" if home else None)
    if command is None:
        return 0
    told = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else 0


if java() < 17:
    pytest.skip(f"Spark needs Java 17 or later, here is {java() or 'none'}", allow_module_level=True)

from pyspark.sql import DataFrame  # noqa: E402 - after what may not be there

import tql_frames  # noqa: E402

STRATA = "max_weight(contains(findings, 'Hernia'): 20, contains(findings, 'Mass') or age > 70: 7, True: 1)"
REPLACE = pytest.mark.parametrize("replace", [True, False], ids=["with", "without"])
BOTH = pytest.mark.parametrize("spark", ["local[1]", "local[2]"], indirect=True)
TWO = pytest.mark.parametrize("spark", ["local[2]"], indirect=True)
XRAYS = tql_frames.datasets.chest_xray().head(5_000)
XRAYS = XRAYS.with_columns(
    pl.col("view", "sex").cast(pl.String), dose=pl.Series(np.random.default_rng(5).random(XRAYS.height))
)


def rows_of(frame: DataFrame) -> pl.DataFrame:
    return pl.from_arrow(frame.toArrow())


def in_random_order(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.take(pa.array(np.random.permutation(batch.num_rows)))
