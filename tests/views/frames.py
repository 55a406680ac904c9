"""What tests of views share: a table, frames of all kinds of it, and plans that count their runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from polars.testing import assert_frame_equal

ROWS = 500
random = np.random.default_rng(7).random
FRAME = pl.DataFrame(
    {
        "k": random(ROWS).argsort(),
        "w": random(ROWS) * (random(ROWS) > 0.3),
        "s": [f"t{i % 13}" for i in range(ROWS)],
        "l": [[i % 3, None] if i % 5 else None for i in range(ROWS)],
    }
)
SAMPLER = "max_weight(s = 't3': 9, w > 0.2: 2, true: 1)"
KINDS = ["polars", "pandas", "lazy", "scan"]


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, pl.LazyFrame):
        assert found.collect_schema() == expected.collect_schema()
        found, expected = found.collect(), expected.collect()
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        assert_frame_equal(found, expected)


class Tripwire:
    """A plan that counts how often it runs."""

    def __init__(self, frame: pl.DataFrame = FRAME) -> None:
        self.runs = 0
        self.plan = frame.lazy().map_batches(self._run, schema=frame.schema)

    def _run(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.runs += 1
        return frame
