"""A query's answer on each kind of frame, in plain Python."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

import tql_frames

Frame = pl.DataFrame | pl.LazyFrame | pd.DataFrame

# A way to hold a frame, and a way to get the rows of an answer.
_KINDS: dict[str, tuple[Callable[[pl.DataFrame], Any], Callable[[Any], Any]]] = {
    "polars": (pl.DataFrame.clone, lambda found: found),
    "lazy": (pl.DataFrame.lazy, lambda found: found.collect(engine="in-memory")),
    "streaming": (pl.DataFrame.lazy, lambda found: found.collect(engine="streaming")),
    "not optimized": (pl.DataFrame.lazy, lambda found: found.collect(optimizations=pl.QueryOptFlags.none())),
    "pandas": (pl.DataFrame.to_pandas, lambda found: found),
}
KINDS = list(_KINDS)

# The streaming engine of Polars 1.30 loses rows of joins in order, and refuses a column that is selected twice.
OLD_STREAMING = tuple(map(int, pl.__version__.split(".")[:2])) < (1, 31)


def ask(kind: str, frame: pl.DataFrame, text: str, parameters: Sequence[object] | None = None, **options: Any) -> Any:
    """The eager frame that a query gives, of a frame of that kind."""
    hold, rows = _KINDS[kind]
    return rows(hold(frame).tql.query(text, parameters, **options))


def ask_of(kind: str, frames: Mapping[str, pl.DataFrame], text: str, **options: Any) -> Any:
    """The same of several frames by name."""
    hold, rows = _KINDS[kind]
    return rows(tql_frames.query(text, **options, **{name: hold(frame) for name, frame in frames.items()}))


def columns(found: pl.DataFrame | pd.DataFrame) -> dict[str, list[Any]]:
    """Plain values by column, those of a pandas index too; NaN is spelled out, in pandas frames it is null."""
    if isinstance(found, pl.DataFrame):
        return {name: [plain(value) for value in found[name]] for name in found.columns}
    index = {"index": [plain(label) for label in found.index]}
    return index | {name: [_missing(plain(value)) for value in found[name]] for name in found.columns}


def plain(value: Any) -> Any:
    """A cell as Python's own value; lists and arrays as tuples."""
    if isinstance(value, (list, tuple, np.ndarray, pl.Series)):
        return tuple(plain(item) for item in value)
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dt.datetime) and value.time() == dt.time(0) and value.tzinfo is None:
        return value.date()
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _missing(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_missing, value))
    return None if value == "NaN" else value
