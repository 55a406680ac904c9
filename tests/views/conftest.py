"""What tests of views are given: a path to save to, and frames of all kinds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from tests.views.frames import FRAME


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved.parquet"


@pytest.fixture
def frame_of(tmp_path: Path) -> Callable[..., Any]:
    """A table as a frame of a kind."""

    def made(kind: str, table: pl.DataFrame = FRAME) -> Any:
        match kind:
            case "polars":
                return table.clone()
            case "pandas":
                return table.to_pandas().set_index(pd.Index([f"i{n % 400}" for n in range(table.height)], name="id"))
            case "lazy":
                return table.lazy()
        path = tmp_path / f"{table.height}.parquet"
        table.write_parquet(path, row_group_size=90)
        return pl.scan_parquet(path)

    return made
